//! A JSON tree that keeps what policy grammar cares about and `serde_json::Value` drops: the order of an
//! object's members and members that stand twice.
//!
//! Knows JSON only, nothing of policies.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value; strings borrow from the input where they hold no escapes.
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
    /// An object: members in the order of the input, duplicates kept.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl Json<'_> {
    /// What the value is, for error messages.
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

/// Why a policy document could not be understood, with the path to the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct DocumentError {
    path: String,
    problem: String,
}

impl DocumentError {
    fn new(path: &Path<'_>, problem: impl Into<String>) -> Self {
        Self { path: path.to_string(), problem: problem.into() }
    }
}

/// Where in a document something stands; written out only when there is something to complain about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Member(&'p Path<'p>, &'p str),
    Item(&'p Path<'p>, usize),
}

impl Path<'_> {
    pub(super) fn error(&self, problem: impl Into<String>) -> DocumentError {
        DocumentError::new(self, problem)
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

pub(super) fn parse_json(text: &str) -> Result<Json<'_>, DocumentError> {
    serde_json::from_str(text).map_err(|error| Path::Root.error(format!("the document is not JSON: {error}")))
}

/// The members of a JSON object, each name once.
pub(super) fn members<'j>(
    path: &Path<'_>,
    json: &'j Json<'_>,
) -> Result<impl Iterator<Item = (&'j str, &'j Json<'j>)>, DocumentError> {
    let Json::Object(object) = json else {
        return Err(path.error(format!("expected an object, found {}", json.kind())));
    };
    for (i, (name, _)) in object.iter().enumerate() {
        if object.iter().take(i).any(|(earlier, _)| earlier == name) {
            return Err(path.error(format!("`{name}` stands twice")));
        }
    }
    Ok(object.iter().map(|(name, value)| (&**name, value)))
}

pub(super) fn string<'j>(path: &Path<'_>, json: &'j Json<'_>) -> Result<&'j str, DocumentError> {
    match json {
        Json::String(text) => Ok(text),
        other => Err(path.error(format!("expected a string, found {}", other.kind()))),
    }
}
