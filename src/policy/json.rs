//! A JSON tree that keeps duplicate members, and the errors of documents.
//!
//! `serde_json::Value` keeps one of two members with the same name. That is not safe here: a document whose `Effect`
//! appears twice would get a verdict although it is unclear which one IAM uses. [`Json`] keeps both, and `members`
//! refuses them with an error such as ``$.Statement[0]: `Effect` appears twice``.
//!
//! Strings without escapes borrow from the input. Objects and arrays nest at most 128 deep (a limit of `serde_json`).
//! Parsing takes time in proportion to the text; `members` takes time in proportion to the square of the number of
//! members of one object.
//!
//! Knows JSON only, nothing of policies.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, in the shortest decimal form that reads back the same.
    Number(String),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    List(Vec<Json<'a>>),
    /// An object: all members in the order of the input, duplicates too.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl Json<'_> {
    /// The kind of value, for error messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tree;

        impl<'de> Visitor<'de> for Tree {
            type Value = Json<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, v: bool) -> Result<Self::Value, E> {
                Ok(Json::Bool(v))
            }

            fn visit_i64<E>(self, v: i64) -> Result<Self::Value, E> {
                Ok(Json::Number(v.to_string()))
            }

            fn visit_u64<E>(self, v: u64) -> Result<Self::Value, E> {
                Ok(Json::Number(v.to_string()))
            }

            fn visit_f64<E>(self, v: f64) -> Result<Self::Value, E> {
                Ok(Json::Number(v.to_string()))
            }

            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Json::String(Cow::Borrowed(v)))
            }

            fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Json::String(Cow::Owned(v.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Json::String(key), value)) = map.next_entry()? {
                    members.push((key, value));
                }
                Ok(Json::Object(members))
            }
        }

        deserializer.deserialize_any(Tree)
    }
}

/// Why a policy document is refused, with the path to the place: ``$.Version: unknown version `2012` ``.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct DocumentError {
    path: String,
    problem: String,
}

/// A place in a document. Displayed as a path such as `$.Statement[0].Effect`; only errors need the text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'p> {
    /// The whole document.
    Root,
    /// The member of an object with this name.
    Member(&'p Path<'p>, &'p str),
    /// The item of a list, from 0.
    Item(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// An error at this place.
    pub(super) fn error(&self, problem: impl Into<String>) -> DocumentError {
        DocumentError { path: self.to_string(), problem: problem.into() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Parses JSON text.
///
/// # Errors
/// The text is not JSON, or nests too deep.
pub(super) fn parse_json(text: &str) -> Result<Json<'_>, DocumentError> {
    serde_json::from_str(text).map_err(|error| Path::Root.error(format!("the document is not JSON: {error}")))
}

/// The members of a JSON object.
///
/// # Errors
/// The value is not an object, or a name appears twice.
pub(super) fn members<'j>(
    path: &Path<'_>,
    json: &'j Json<'_>,
) -> Result<impl Iterator<Item = (&'j str, &'j Json<'j>)>, DocumentError> {
    let Json::Object(object) = json else {
        return Err(path.error(format!("expected an object, found {}", json.kind())));
    };
    for (i, (name, _)) in object.iter().enumerate() {
        if object.iter().take(i).any(|(earlier, _)| earlier == name) {
            return Err(path.error(format!("`{name}` appears twice")));
        }
    }
    Ok(object.iter().map(|(name, value)| (&**name, value)))
}

/// The text of a JSON string.
///
/// # Errors
/// The value is not a string.
pub(super) fn string<'j>(path: &Path<'_>, json: &'j Json<'_>) -> Result<&'j str, DocumentError> {
    match json {
        Json::String(text) => Ok(text),
        other => Err(path.error(format!("expected a string, found {}", other.kind()))),
    }
}
