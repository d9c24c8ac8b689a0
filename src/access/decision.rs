//! The answer for one action: permitted with a witness, refused, or undecided; and why an action is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use crate::policy::arn::Arn;

/// Where a policy bears on a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantKind {
    /// An inline policy of the role.
    Inline,
    /// A managed policy attached to the role.
    Managed,
    /// The role's permissions boundary.
    Boundary,
}

/// A statement that bears on a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Grant {
    /// The inline policy's name or the managed policy's ARN.
    pub policy: String,
    /// Where the policy bears on the role.
    pub kind: GrantKind,
    /// The statement's `Sid`.
    pub sid: Option<String>,
    /// The statement's place in the document, from 0.
    pub statement: usize,
}

/// `policy NAME, statement Push`, or `boundary NAME, statement Push`: the same in every text that people read.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == GrantKind::Boundary { "boundary" } else { "policy" };
        write!(f, "{kind} {}", StatementName::of(self))
    }
}

/// A statement as reports name it: `AmazonEC2ContainerRegistryPowerUser, statement 0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementName {
    /// The policy's name without its path, one word.
    pub policy: String,
    /// The statement's Sid, or its place in the document, from 0.
    pub statement: String,
}

impl StatementName {
    const SEPARATOR: &str = ", statement ";

    /// The name of a statement. IAM takes letters and digits as a Sid; one with other characters is not used, so that
    /// a Sid never looks like another part of a text. A Sid of digits alone is not used, because it looks like a place.
    pub(super) fn of(grant: &Grant) -> Self {
        let name = Arn::parse(&grant.policy).and_then(|arn| arn.name()).unwrap_or(&grant.policy);
        let unusual = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '(' | ')');
        let policy = name.chars().map(|c| if unusual(c) { '_' } else { c }).collect();
        let usual = |sid: &&String| {
            sid.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
                && sid.bytes().any(|c| !c.is_ascii_digit())
        };
        let sid = grant.sid.as_ref().filter(usual);
        Self { policy, statement: sid.cloned().unwrap_or_else(|| grant.statement.to_string()) }
    }
}

impl fmt::Display for StatementName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.policy, Self::SEPARATOR, self.statement)
    }
}

impl FromStr for StatementName {
    type Err = NotAStatementName;

    fn from_str(text: &str) -> Result<Self, NotAStatementName> {
        let (policy, statement) = text.split_once(Self::SEPARATOR).ok_or(NotAStatementName)?;
        Ok(Self { policy: policy.to_owned(), statement: statement.to_owned() })
    }
}

/// The text is not a policy's name and a statement's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a policy and a statement such as `Push, statement 0`")]
pub struct NotAStatementName;

/// A request that IAM would allow, and the statements that do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// One ARN; `*` for an action without resource type.
    pub resource: String,
    /// The keys that the request needs, with their values. Keys not listed are absent, or have any value where
    /// they are always present.
    pub context: BTreeMap<String, Vec<String>>,
    /// The Allow statements that match the request, the boundary's included.
    pub grants: Vec<Grant>,
    /// The account of the resource, where that is not the role's own: a policy there has to agree too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_account: Option<String>,
    /// What the request takes for granted where AWS's documentation leaves two readings; mostly nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<Assumption>,
}

/// A statement of which the documentation does not say whether it matches a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Assumption {
    /// The statement.
    #[serde(flatten)]
    pub statement: Grant,
    /// Whether it is taken to match, as an Allow is, or not to, as a Deny is.
    pub matches: bool,
}

/// What is known of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Some request is allowed.
    Permitted(Arc<Witness>),
    /// No request is allowed; [`refusals`] tells why.
    Refused,
    /// Not decided within the budget.
    Undecided,
}

/// Why no request for an action is allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "by", content = "statements")]
pub enum Refusal {
    /// No Allow of an identity-based policy matches any request for the action.
    NoAllow,
    /// The identity-based policies allow, the permissions boundary does not.
    Boundary,
    /// What is allowed, these Deny statements refuse; without one of them some request would be left.
    Denied(Vec<Grant>),
}
