//! The rule's parameters.
//!
//! Knows their names, grammar and defaults, and tells all that is wrong with them at once. What the
//! settings do is others' business. A later parameter is a name in `KNOWN` and a match arm.

use std::fmt;

use serde_json::{Map, Value};

use crate::access::{Criteria, NotAccepted};
use crate::rule::invocation::fields::{is_empty, scalar_text, type_name};
use crate::rule::invocation::name_patterns;
use crate::rule::invocation::name_patterns::{ClusterPatterns, RolePatterns};

/// The path of roles that only an AWS service can assume
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html>).
pub(in crate::rule) const SERVICE_LINKED: &str = "aws-service-role/";

/// The parameters that the rule takes, as AWS Config passes them: with regard to case.
const KNOWN: [&str; 13] = [
    "AllowedAccess",
    "AdditionalAllowedActions",
    "RequirePullAccess",
    "NodeRoles",
    "ExemptRoles",
    "ExemptTag",
    "ClusterRegions",
    "ClusterNames",
    "IncludeServiceAccountRoles",
    "ExecutionRoleName",
    "ExecutionRoleRegion",
    "AssumeRoleMode",
    "SecurityHubFindings",
];

/// The rule's settings.
#[derive(Debug, Clone, Default)]
pub struct RuleParameters {
    /// What roles are judged by.
    pub criteria: Criteria,
    /// Roles that are judged whatever their trust policy and EKS say.
    pub node_roles: RolePatterns,
    /// Roles that are not judged, whatever else says that they are.
    pub exempt_roles: RolePatterns,
    /// A tag, key and value, whose roles are not judged.
    pub exempt_tag: Option<(String, String)>,
    /// Whose roles are judged.
    pub scope: ClusterScope,
    /// How another account is read.
    pub execution_role: ExecutionRole,
    /// Whether Security Hub is told findings of the rule's own.
    pub security_hub_findings: bool,
}

/// The clusters whose roles are judged, and which of their roles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ClusterScope {
    /// The regions; none means every region that is enabled in the account.
    pub regions: Option<Vec<String>>,
    /// The clusters.
    pub names: ClusterPatterns,
    /// Whether the roles of pods are judged too: EKS Pod Identity, IAM roles for service accounts, add-ons.
    pub service_accounts: bool,
}

impl ClusterScope {
    /// Whether a cluster is in scope, as far as parameters say.
    pub fn includes(&self, region: &str, name: &str) -> bool {
        let region_is_meant = |regions: &Vec<String>| regions.iter().any(|one| one == region);
        self.regions.as_ref().is_none_or(region_is_meant) && self.names.matches(name)
    }
}

/// The role by which an account other than the function's own is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionRole {
    /// The role's name in the event's account, with its path if it has one.
    pub name: Option<String>,
    /// The region of the STS that is asked; none means the function's own.
    pub region: Option<String>,
    /// Whether the role that the event names (`executionRoleArn`) is assumed where no name is given.
    pub assume_the_events: bool,
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
            "AdditionalAllowedActions" => match Criteria::parse_actions(&text) {
                Ok(actions) => self.criteria.additional_allowed_actions = actions,
                Err(NotAccepted { value, accepted }) => refuse(&value, accepted),
            },
            "RequirePullAccess" | "IncludeServiceAccountRoles" | "AssumeRoleMode" | "SecurityHubFindings" => {
                let Some(flag) = flag(&text) else { return refuse(&text, "`true` or `false`") };
                match name {
                    "RequirePullAccess" => self.criteria.require_pull_access = flag,
                    "IncludeServiceAccountRoles" => self.scope.service_accounts = flag,
                    "SecurityHubFindings" => self.security_hub_findings = flag,
                    _ => self.execution_role.assume_the_events = flag,
                }
            }
            "NodeRoles" | "ExemptRoles" => match RolePatterns::parse(&text) {
                Ok(patterns) if name == "NodeRoles" => self.node_roles = patterns,
                Ok(patterns) => self.exempt_roles = patterns,
                Err(refused) => refuse(
                    &refused.join("`, `"),
                    "ARNs of roles or names without a path, separated by commas, with `*` for any text",
                ),
            },
            "ExemptTag" => match text.split_once('=') {
                Some((key, value)) if !key.is_empty() => {
                    self.exempt_tag = Some((key.to_owned(), value.to_owned()));
                }
                _ => refuse(&text, "a tag as `Key=Value`"),
            },
            "ClusterRegions" => match name_patterns::all(&text, |part| is_region(part).then(|| part.to_owned())) {
                Ok(regions) if regions.is_empty() => {}
                Ok(mut regions) => {
                    regions.sort();
                    regions.dedup();
                    self.scope.regions = Some(regions);
                }
                Err(refused) => refuse(&refused.join("`, `"), "regions such as `eu-west-1`, separated by commas"),
            },
            "ClusterNames" => match ClusterPatterns::parse(&text) {
                Ok(names) => self.scope.names = names,
                Err(refused) => {
                    refuse(&refused.join("`, `"), "names of clusters, separated by commas, with `*` for any text");
                }
            },
            "ExecutionRoleName" if text.starts_with(SERVICE_LINKED) => {
                refuse(&text, "a role that can be assumed: services alone assume their service-linked roles");
            }
            "ExecutionRoleName" if is_role_path(&text) => self.execution_role.name = Some(text),
            "ExecutionRoleName" => refuse(&text, "the name of a role, with its path if it has one"),
            _ if is_region(&text) => self.execution_role.region = Some(text),
            _ => refuse(&text, "a region such as `eu-west-1`"),
        }
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// `eu-west-1`, `us-gov-east-1`, `us-isob-east-1`: the text becomes part of a host name.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(is_word)
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// `name` or `path/name` (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
fn is_role_path(text: &str) -> bool {
    let accepted = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    text.split('/').all(|part| !part.is_empty() && part.chars().all(accepted))
}

fn object(text: &str) -> Result<Map<String, Value>, ParameterError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(values)) => Ok(values),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(other) => Err(ParameterError::NotAnObject { problem: type_name(&other).to_owned() }),
        Err(cause) => Err(ParameterError::NotAnObject { problem: format!("not JSON ({cause})") }),
    }
}
