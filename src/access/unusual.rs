//! Values of condition keys that only unusual requests have. A witness has them only if no other request is allowed, and
//! then it says so.
//!
//! Source: IAM User Guide, "AWS global condition context keys"; "Secure API access with MFA".

use super::context::Unknown;
use super::decision::Assumption;
use super::request::{Request, absent, equals};
use super::solver::{Literal, Values};
use crate::policy::operator::Quantifier;

/// A value of a condition key that only unusual requests have.
#[derive(Debug)]
pub(super) struct Unusual {
    /// The key, as AWS spells it.
    pub(super) key: &'static str,
    /// The value; `None` for every value.
    value: Option<&'static str>,
    /// When a request has such a value.
    text: &'static str,
}

/// All of them. Those that are least likely come first.
pub(super) static UNUSUAL: [Unusual; 3] = [
    Unusual {
        key: "aws:referer",
        value: None,
        text: "The request comes from a link on a web page. Programs do not send this key.",
    },
    Unusual {
        key: "aws:MultiFactorAuthPresent",
        value: Some("true"),
        text: "A user assumed the role with MFA, and the session keeps that information, which one AWS page denies.",
    },
    Unusual {
        key: "aws:ViaAWSService",
        value: Some("true"),
        text: "An AWS service makes the request for the role, with the role's permissions.",
    },
];

impl Unusual {
    fn slot(&self, request: &Request<'_>) -> Option<usize> {
        request.find_slot(&Unknown::Key(self.key.to_ascii_lowercase()))
    }

    /// The literal that a request does not have the value; `None` if no statement mentions the key.
    pub(super) fn avoided(&self, request: &Request<'_>) -> Option<Literal> {
        let slot = self.slot(request)?;
        Some(self.value.map_or_else(|| absent(slot), |value| equals(slot, value, Quantifier::Value).negated()))
    }

    /// The assumption that a request has the value, if it does.
    pub(super) fn assumption(&self, request: &Request<'_>, values: &Values) -> Option<Assumption> {
        let found = values.get(self.slot(request)?)?.first()?;
        let (key, value, text) = (self.key, found.to_owned(), self.text);
        self.value.is_none_or(|unusual| unusual == found).then_some(Assumption::Context { key, value, text })
    }
}
