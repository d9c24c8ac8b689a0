//! Policy documents and their statements. Refuses documents that IAM would not store.
//!
//! Source: IAM User Guide, "Grammar of the IAM JSON policy language".

use super::context::View;
use super::{Outcome, Tri, all_of, any_of, condition, negate, resource};
use serde_json::{Map, Value};

/// `Allow` or `Deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Allows requests.
    Allow,
    /// Denies requests.
    Deny,
}

/// One statement of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Allow or Deny.
    pub effect: Effect,
    /// Its `Sid`.
    pub sid: Option<String>,
    actions: List,
    resources: List,
    conditions: Vec<Condition>,
    variables: bool,
}

/// `Action` and `NotAction`, `Resource` and `NotResource`.
#[derive(Debug, Clone, PartialEq)]
struct List {
    entries: Vec<String>,
    not: bool,
}

impl List {
    /// `NotAction: []` would match every action. AWS does not document it.
    fn lists_nothing_out(&self) -> bool {
        self.not && self.entries.is_empty()
    }
}

/// One operator with one key and its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As written in the policy.
    pub operator: String,
    /// As written in the policy.
    pub key: String,
    /// The listed values; numbers and booleans as text.
    pub values: Vec<String>,
}

/// Reads a document.
///
/// # Errors
/// IAM would not store the document. The text names the path.
pub fn parse(document: &Value) -> Result<Vec<Statement>, String> {
    let object = document.as_object().ok_or("not a JSON object")?;
    known_keys(object, &["Version", "Id", "Statement"], "")?;
    let variables = match object.get("Version") {
        None => false,
        Some(Value::String(version)) if version == "2008-10-17" => false,
        Some(Value::String(version)) if version == "2012-10-17" => true,
        Some(other) => return Err(format!("/Version: unknown version {other}")),
    };
    let statements = match object.get("Statement") {
        Some(Value::Array(list)) => list.iter().enumerate().map(|(i, one)| (format!("/Statement/{i}"), one)).collect(),
        Some(one @ Value::Object(_)) => vec![("/Statement".to_owned(), one)],
        Some(_) => return Err("/Statement: neither an object nor a list".to_owned()),
        None => return Err("no Statement".to_owned()),
    };
    statements.into_iter().map(|(path, one)| statement(one, variables, &path)).collect()
}

fn statement(value: &Value, variables: bool, path: &str) -> Result<Statement, String> {
    let object = value.as_object().ok_or_else(|| format!("{path}: not an object"))?;
    // IAM refuses to store an identity-based policy with `Principal`.
    let known = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];
    known_keys(object, &known, path)?;
    let effect = match object.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err(format!("{path}/Effect: neither `Allow` nor `Deny`")),
    };
    let sid = match object.get("Sid") {
        None => None,
        Some(Value::String(sid)) => Some(sid.clone()),
        Some(_) => return Err(format!("{path}/Sid: not a text")),
    };
    Ok(Statement {
        effect,
        sid,
        actions: one_of(object, "Action", "NotAction", path)?,
        resources: one_of(object, "Resource", "NotResource", path)?,
        conditions: conditions(object, path)?,
        variables,
    })
}

fn known_keys(object: &Map<String, Value>, known: &[&str], path: &str) -> Result<(), String> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("{path}/{key}: unknown element")),
        None => Ok(()),
    }
}

fn one_of(object: &Map<String, Value>, with: &str, without: &str, path: &str) -> Result<List, String> {
    let (name, value, not) = match (object.get(with), object.get(without)) {
        (Some(value), None) => (with, value, false),
        (None, Some(value)) => (without, value, true),
        (None, None) => return Err(format!("{path}: neither {with} nor {without}")),
        (Some(_), Some(_)) => return Err(format!("{path}: both {with} and {without}")),
    };
    let one = std::slice::from_ref(value);
    let entries = value
        .as_array()
        .map_or(one, Vec::as_slice)
        .iter()
        .map(|entry| entry.as_str().map(str::to_owned).ok_or_else(|| format!("{path}/{name}: not a text")))
        .collect::<Result<_, _>>()?;
    Ok(List { entries, not })
}

fn conditions(object: &Map<String, Value>, path: &str) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    let Some(block) = object.get("Condition") else { return Ok(conditions) };
    let path = format!("{path}/Condition");
    for (operator, keys) in block.as_object().ok_or_else(|| format!("{path}: not an object"))? {
        let path = format!("{path}/{operator}");
        for (key, values) in keys.as_object().ok_or_else(|| format!("{path}: not an object"))? {
            let one = std::slice::from_ref(values);
            let values = values
                .as_array()
                .map_or(one, Vec::as_slice)
                .iter()
                .map(|value| match value {
                    Value::String(text) => Ok(text.clone()),
                    Value::Number(number) => Ok(number.to_string()),
                    Value::Bool(flag) => Ok(flag.to_string()),
                    _ => Err(format!("{path}/{key}: neither text, number nor boolean")),
                })
                .collect::<Result<_, _>>()?;
            conditions.push(Condition { operator: operator.clone(), key: key.clone(), values });
        }
    }
    Ok(conditions)
}

impl Statement {
    /// Whether the statement applies to the request.
    pub fn matches(&self, view: &View<'_>) -> Outcome {
        // In this order, so that a statement on another action needs no condition key.
        let action = self.action(view);
        if action == Ok(Tri::No) {
            return action;
        }
        // One reading of a key for the whole statement.
        view.in_both_readings(self.texts(), |view| {
            all_of([self.action(view), self.resource(view), self.condition(view)])
        })
    }

    /// The texts that may name a condition key.
    fn texts(&self) -> impl Iterator<Item = &str> + Clone {
        let of_conditions = self.conditions.iter().flat_map(|one| one.values.iter().chain([&one.key]));
        self.resources.entries.iter().chain(of_conditions).map(String::as_str)
    }

    /// Whether `Action` or `NotAction` matches the request.
    pub fn action(&self, view: &View<'_>) -> Outcome {
        if self.actions.lists_nothing_out() {
            return Ok(Tri::Maybe);
        }
        let listed = any_of(self.actions.entries.iter().map(|entry| Ok(resource::action(entry, view.action()))));
        if self.actions.not { negate(listed) } else { listed }
    }

    /// Whether `Resource` or `NotResource` matches the request.
    pub fn resource(&self, view: &View<'_>) -> Outcome {
        if self.resources.lists_nothing_out() {
            return Ok(Tri::Maybe);
        }
        let of_entry = |entry: &String| resource::resource(entry, self.variables, view);
        let listed = any_of(self.resources.entries.iter().map(of_entry));
        if !self.resources.not {
            return listed;
        }
        // In NotResource, an entry whose variable has no value excludes nothing, or the statement does not match.
        let unresolved = |entry: &String| resource::unresolved(entry, self.variables, view);
        let unresolved = any_of(self.resources.entries.iter().map(unresolved))?;
        let negated = negate(listed)?;
        Ok(if unresolved > Tri::No { negated.min(Tri::Maybe) } else { negated })
    }

    /// Whether every condition holds.
    pub fn condition(&self, view: &View<'_>) -> Outcome {
        all_of(
            self.conditions
                .iter()
                .map(|one| condition::holds(&one.operator, &one.key, &one.values, self.variables, view)),
        )
    }

    /// How many parts of an Allow on this action do not match; `None` if the action does not match.
    pub fn misses(&self, view: &View<'_>) -> Option<usize> {
        if matches!(self.action(view), Ok(Tri::No)) {
            return None;
        }
        let missed = |outcome: Outcome| usize::from(!matches!(outcome, Ok(Tri::Maybe | Tri::Yes)));
        let of_condition =
            |one: &Condition| missed(condition::holds(&one.operator, &one.key, &one.values, self.variables, view));
        let misses = missed(self.resource(view)) + self.conditions.iter().map(of_condition).sum::<usize>();
        // Parts that match in different readings of a key do not match together.
        Some(misses.max(missed(self.matches(view))))
    }

    /// The entries of `Action`; none for `NotAction`.
    pub fn named_actions(&self) -> &[String] {
        if self.actions.not { &[] } else { &self.actions.entries }
    }

    /// The entries of `Action` or `NotAction`.
    pub fn actions(&self) -> &[String] {
        &self.actions.entries
    }

    /// The entries of `Resource` or `NotResource`.
    pub fn resources(&self) -> &[String] {
        &self.resources.entries
    }

    /// The conditions, one by one.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}
