//! The rule's parameters.
//!
//! Knows their names, grammar and defaults, and tells all that is wrong with them at once. What the
//! settings do is [`crate::access`]'s business. A later parameter is a name in `KNOWN` and a match arm.

use std::fmt;

use serde_json::{Map, Value};

use super::fields::{is_empty, scalar_text, type_name};
use crate::access::{Criteria, NotAccepted};

/// The parameters that the rule takes, as AWS Config passes them: with regard to case.
const KNOWN: [&str; 3] = ["AllowedAccess", "AdditionalAllowedActions", "RequirePullAccess"];

/// The rule's settings.
#[derive(Debug, Clone, Default)]
pub struct RuleParameters {
    /// What roles are judged by.
    pub criteria: Criteria,
}

/// All that is wrong with the rule's parameters, at least one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParametersError {
    errors: Vec<ParameterError>,
}

impl ParametersError {
    /// What is wrong, in the order of the parameters' names.
    pub fn errors(&self) -> &[ParameterError] {
        &self.errors
    }
}

impl fmt::Display for ParametersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

/// What is wrong with one parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The parameters are no JSON object.
    #[error("`ruleParameters` is {problem}, expected a JSON object of parameter names and values")]
    NotAnObject {
        /// What they are.
        problem: String,
    },
    /// A parameter that the rule does not have.
    #[error("`{name}` is not a parameter of this rule: {}", advice(name))]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A value that the parameter does not take.
    #[error("`{name}` is `{value}`, expected {expected}")]
    Value {
        /// The parameter's name.
        name: String,
        /// The value, or the part of it that is wrong.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
}

fn advice(name: &str) -> String {
    match KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(known) => format!("names are case-sensitive, and this one is `{known}`"),
        None => format!("it takes `{}`", KNOWN.join("`, `")),
    }
}

impl RuleParameters {
    /// Reads `ruleParameters`, a JSON object in a string. Absent, empty, and `{}` mean the defaults, as does
    /// an empty or blank value for its parameter.
    ///
    /// # Errors
    /// Every unknown parameter and every value that is not accepted.
    pub fn parse(text: Option<&str>) -> Result<Self, ParametersError> {
        let mut parameters = Self::default();
        let mut errors = Vec::new();
        match text.filter(|text| !text.trim().is_empty()).map(object) {
            None => {}
            Some(Ok(values)) => {
                for (name, value) in values {
                    parameters.set(&name, &value, &mut errors);
                }
            }
            Some(Err(error)) => errors.push(error),
        }
        if errors.is_empty() { Ok(parameters) } else { Err(ParametersError { errors }) }
    }

    fn set(&mut self, name: &str, value: &Value, errors: &mut Vec<ParameterError>) {
        // The name before the value: an unknown parameter is a mistake even where it is empty.
        if !KNOWN.contains(&name) {
            errors.push(ParameterError::Unknown { name: name.to_owned() });
            return;
        }
        if is_empty(value) {
            return;
        }
        let mut refuse = |value: &str, expected| {
            errors.push(ParameterError::Value { name: name.to_owned(), value: value.to_owned(), expected });
        };
        let Some(text) = scalar_text(value) else {
            return refuse(type_name(value), "a string");
        };
        match name {
            "AllowedAccess" => match text.parse() {
                Ok(allowed) => self.criteria.allowed_access = allowed,
                Err(NotAccepted { value, accepted }) => refuse(&value, accepted),
            },
            "RequirePullAccess" => match text.to_ascii_lowercase().as_str() {
                "true" => self.criteria.require_pull_access = true,
                "false" => self.criteria.require_pull_access = false,
                _ => refuse(&text, "`true` or `false`"),
            },
            _ => match Criteria::parse_actions(&text) {
                Ok(actions) => self.criteria.additional_allowed_actions = actions,
                Err(NotAccepted { value, accepted }) => refuse(&value, accepted),
            },
        }
    }
}

fn object(text: &str) -> Result<Map<String, Value>, ParameterError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(values)) => Ok(values),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(other) => Err(ParameterError::NotAnObject { problem: type_name(&other).to_owned() }),
        Err(cause) => Err(ParameterError::NotAnObject { problem: format!("not JSON ({cause})") }),
    }
}
