//! Reads the fields of an event. A field is read leniently if its meaning is certain, and strictly if not.
//!
//! Real events have unknown, absent, null and empty fields. Numbers and booleans can be strings, and the other way round.
//! This file knows JSON and how an error names a field, not what a field means. Errors quote a value only if it can be
//! neither a secret nor a policy document.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use crate::policy::DocumentError;

/// Why an event was not understood: the field, and the error in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct EventError {
    problem: String,
}

impl EventError {
    /// The payload is not a JSON object.
    pub(in crate::rule) fn payload(value: &Value) -> Self {
        Self { problem: format!("the event is {}, not a JSON object", type_name(value)) }
    }

    /// A needed field is absent, null or empty.
    pub(in crate::rule) fn absent(path: &str) -> Self {
        Self { problem: format!("`{path}` is absent") }
    }

    /// A field has a value of the wrong JSON type.
    pub(in crate::rule) fn wrong_type(path: &str, value: &Value, expected: &str) -> Self {
        Self { problem: format!("`{path}` is {}, expected {expected}", type_name(value)) }
    }

    /// A field has a text that is not one of the known values.
    pub(in crate::rule) fn unknown_value(path: &str, value: &str, expected: &str) -> Self {
        // The error goes to the log and to Lambda: the start of the value is enough to find it.
        let excerpt: String = value.chars().take(100).collect();
        Self { problem: format!("`{path}` is `{excerpt}`, expected {expected}") }
    }

    /// A field that should have a JSON document in a string has something else.
    pub(in crate::rule) fn not_json(path: &str, cause: &serde_json::Error) -> Self {
        Self { problem: format!("`{path}` is not JSON: {cause}") }
    }

    /// A policy document that IAM would not store. The cause quotes only names of it.
    fn document(path: &str, cause: &DocumentError) -> Self {
        Self { problem: format!("`{path}` could not be understood: {cause}") }
    }

    /// `ConfigEvent` refuses the event for another reason.
    pub(in crate::rule) fn shape(cause: &serde_json::Error) -> Self {
        Self { problem: format!("the event does not have the shape of an AWS Config event: {cause}") }
    }
}

/// An object of the event, with the path that leads to it.
#[derive(Debug, Clone)]
pub(in crate::rule) struct Fields {
    path: String,
    fields: Map<String, Value>,
}

impl Fields {
    /// The JSON object that `text` holds.
    pub(in crate::rule) fn from_text(path: &str, text: &str) -> Result<Self, EventError> {
        let value = serde_json::from_str(text).map_err(|cause| EventError::not_json(path, &cause))?;
        Self::from_value(path, value)
    }

    fn from_value(path: &str, value: Value) -> Result<Self, EventError> {
        match value {
            Value::Object(fields) => Ok(Self { path: path.to_owned(), fields }),
            other => Err(EventError::wrong_type(path, &other, "an object")),
        }
    }

    /// The path of a field, for errors.
    pub(in crate::rule) fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// The value of a field, unless it is null or a blank text.
    pub(in crate::rule) fn value(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !is_empty(value))
    }

    /// An object, or a string that contains one.
    pub(in crate::rule) fn object(&self, name: &str) -> Result<Option<Self>, EventError> {
        let path = self.path_of(name);
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Self::from_text(&path, text).map(Some),
            Some(value) => Self::from_value(&path, value.clone()).map(Some),
        }
    }

    /// The objects of a list.
    pub(in crate::rule) fn objects(&self, name: &str) -> Result<Vec<Self>, EventError> {
        let path = self.path_of(name);
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let items = items.iter().enumerate();
                items.map(|(i, item)| Self::from_value(&format!("{path}[{i}]"), item.clone())).collect()
            }
            Some(other) => Err(EventError::wrong_type(&path, other, "a list")),
        }
    }

    /// The warning about a policy document that is a list: an array, or a text that holds one. Samples of AWS's tools have
    /// such items.
    pub(in crate::rule) fn list_of_documents(&self, name: &str) -> Option<EventError> {
        let is_list = match self.value(name)? {
            Value::Array(_) => true,
            Value::String(text) => {
                let start: String = text.trim_start().chars().take(3).collect();
                start.starts_with('[') || start.eq_ignore_ascii_case("%5B")
            }
            _ => false,
        };
        let path = self.path_of(name);
        is_list.then(|| EventError { problem: format!("`{path}` is a list, expected a policy document") })
    }

    /// A policy document: percent-encoded or plain text, or the document itself.
    pub(in crate::rule) fn document<D>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<D, DocumentError>,
    ) -> Result<Option<D>, EventError> {
        let Some(document) = self.value(name) else { return Ok(None) };
        let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
        parse(&text).map(Some).map_err(|cause| EventError::document(&self.path_of(name), &cause))
    }

    /// A text without the blanks around it. A number or boolean is read as the text that it is written as.
    pub(in crate::rule) fn text(&self, name: &str) -> Result<Option<String>, EventError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match scalar_text(value) {
            Some(text) => Ok(Some(text)),
            None => Err(EventError::wrong_type(&self.path_of(name), value, "a string")),
        }
    }

    /// A text that must be there.
    pub(in crate::rule) fn required_text(&self, name: &str) -> Result<String, EventError> {
        self.text(name)?.ok_or_else(|| EventError::absent(&self.path_of(name)))
    }

    /// The id of an AWS account.
    pub(in crate::rule) fn account_id(&self, name: &str) -> Result<Option<String>, EventError> {
        self.text(name)?.map(|text| account_id(&self.path_of(name), &text)).transpose()
    }

    /// A time: ISO 8601 with date, time and offset, as AWS Config writes it (`2026-01-05T10:02:33.123Z`).
    pub(in crate::rule) fn instant(&self, name: &str) -> Result<Option<OffsetDateTime>, EventError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        OffsetDateTime::parse(&text, &Iso8601::PARSING).map(Some).map_err(|_| {
            EventError::unknown_value(
                &self.path_of(name),
                &text,
                "a time in ISO 8601, such as `2026-01-05T10:02:33.123Z`",
            )
        })
    }
}

/// An AWS account id: twelve digits. An id that is a JSON number has lost its leading zeros.
pub(in crate::rule) fn account_id(path: &str, text: &str) -> Result<String, EventError> {
    // Roles of other accounts are not node roles here, so a wrong id would lead to a wrong verdict.
    if text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(format!("{text:0>12}"))
    } else {
        Err(EventError::unknown_value(path, text, "an account id of twelve digits"))
    }
}

/// The text of a string, number or boolean.
pub(in crate::rule) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a value is null or a blank text.
pub(in crate::rule) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// The name of a value's JSON type, with its article: `an array`.
pub(in crate::rule) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
