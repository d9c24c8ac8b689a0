//! Do the parameters exempt a role, and until when?
//!
//! Knows the three parameters that exempt roles. Reads no clock: the time of the evaluation is an argument.

use std::fmt;

use serde::Serialize;
use time::{Date, OffsetDateTime, UtcOffset};

use crate::access::{NotApplicable, parsed_day};
use crate::policy::tag::Tag;
use crate::rule::invocation::parameters::RuleParameters;

/// How many characters of a tag's value a remark quotes.
const QUOTED_CHARACTERS: usize = 64;

/// The reason if the parameters exempt a role. Without its ARN, patterns for ARNs do not match. `ExemptRoles` and `ExemptTag`
/// win over `ExemptUntilTag`.
pub(in crate::rule) fn exempt(
    parameters: &RuleParameters,
    name: &str,
    arn: Option<&str>,
    tags: &[Tag],
    at: OffsetDateTime,
) -> Option<NotApplicable> {
    if parameters.exempt_roles.matches(name, arn) {
        return Some(NotApplicable::ExemptRole);
    }
    if let Some(tag) = parameters.exempt_tag.as_ref().filter(|tag| tags.contains(tag)) {
        return Some(NotApplicable::ExemptTag { key: tag.key.clone(), value: tag.value.clone() });
    }
    let tag = until_tag(parameters, tags)?;
    let last_day = parsed_day(&tag.value).filter(|last_day| utc_date(at) <= *last_day)?;
    Some(NotApplicable::ExemptUntil { key: tag.key.clone(), last_day })
}

/// Why the role's tag of the parameter `ExemptUntilTag` does not exempt it; `None` if it does, or if the role has no such tag.
pub(in crate::rule) fn no_exemption(
    parameters: &RuleParameters,
    tags: &[Tag],
    at: OffsetDateTime,
) -> Option<NoExemption> {
    let tag = until_tag(parameters, tags)?;
    let key = tag.key.clone();
    match parsed_day(&tag.value) {
        Some(last_day) if utc_date(at) <= last_day => None,
        Some(last_day) => Some(NoExemption { key, kind: NoExemptionKind::Ended(last_day) }),
        None => Some(NoExemption { key, kind: NoExemptionKind::NotADate(tag.value.clone()) }),
    }
}

fn until_tag<'t>(parameters: &RuleParameters, tags: &'t [Tag]) -> Option<&'t Tag> {
    let key = parameters.exempt_until_tag.as_ref()?;
    tags.iter().find(|tag| tag.key == *key)
}

fn utc_date(at: OffsetDateTime) -> Date {
    // `None` only within a day of the years that `time` can hold.
    at.checked_to_offset(UtcOffset::UTC).unwrap_or(at).date()
}

/// A tag of the parameter `ExemptUntilTag` that does not exempt its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoExemption {
    /// The tag's key.
    pub key: String,
    /// Why it does not exempt the role.
    pub kind: NoExemptionKind,
}

/// Why a tag of the parameter `ExemptUntilTag` does not exempt its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoExemptionKind {
    /// The exemption ended. This was its last day.
    Ended(Date),
    /// The value is not a date.
    NotADate(String),
}

impl NoExemption {
    /// The last day of an exemption that ended.
    pub fn ended(&self) -> Option<Date> {
        match self.kind {
            NoExemptionKind::Ended(last_day) => Some(last_day),
            NoExemptionKind::NotADate(_) => None,
        }
    }

    /// The remark for the log.
    pub(in crate::rule) fn remark(&self) -> TagRemark<'_> {
        let kind = match self.kind {
            NoExemptionKind::Ended(_) => "exemption-ended",
            NoExemptionKind::NotADate(_) => "exemption-not-a-date",
        };
        TagRemark { kind, tag: &self.key, text: self.to_string() }
    }
}

/// The text of the remark, without a full stop.
impl fmt::Display for NoExemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, kind } = self;
        match kind {
            NoExemptionKind::Ended(last_day) => {
                write!(f, "tag `{key}` no longer exempts the role: the exemption ended on {last_day}")
            }
            NoExemptionKind::NotADate(value) => {
                let quoted: String = value.chars().take(QUOTED_CHARACTERS).collect();
                let ellipsis = if quoted.len() < value.len() { "…" } else { "" };
                write!(
                    f,
                    "tag `{key}` does not exempt the role: its value `{quoted}{ellipsis}` is not a date such as `2026-12-31`"
                )
            }
        }
    }
}

/// A remark on a tag, beside the remarks on statements.
#[derive(Debug, Serialize)]
pub(in crate::rule) struct TagRemark<'a> {
    kind: &'static str,
    tag: &'a str,
    text: String,
}
