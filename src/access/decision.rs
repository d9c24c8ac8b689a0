//! The decision for one action: permitted with a witness, refused, or undecided; and why an action is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use crate::policy::arn::Arn;

/// How a policy is attached to a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantKind {
    /// An inline policy of the role.
    Inline,
    /// A managed policy attached to the role.
    Managed,
    /// The role's permissions boundary.
    Boundary,
    /// The session policy: the policy of the Pod Identity association that makes the session.
    Session,
}

/// A kind of policy that has to allow a request if the role has one. Only the first one grants, the others limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    /// The identity-based policies.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// The session policy.
    Session,
}

impl GrantKind {
    pub(super) fn layer(self) -> Layer {
        match self {
            Self::Inline | Self::Managed => Layer::Identity,
            Self::Boundary => Layer::Boundary,
            Self::Session => Layer::Session,
        }
    }

    /// Whether an Allow of the policy grants nothing, and only limits what other policies allow.
    pub fn only_limits(self) -> bool {
        self.layer() != Layer::Identity
    }
}

/// A statement of one of the role's policies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Grant {
    /// The inline policy's name, the managed policy's ARN, or the ARN of the association with the session policy.
    pub policy: String,
    /// How the policy is attached to the role.
    pub kind: GrantKind,
    /// The statement's `Sid`, if it has one.
    pub sid: Option<String>,
    /// The statement's place in the document, from 0.
    pub statement: usize,
}

/// `policy NAME, statement Push`, with `boundary` or `session policy` for these: the same in every text that people read.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind.layer() {
            Layer::Identity => "policy",
            Layer::Boundary => "boundary",
            Layer::Session => "session policy",
        };
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

    /// The name of a statement: its Sid, if that is one word and not only digits. Otherwise its place is used. IAM accepts
    /// only letters and digits in a Sid; an account file may hold other characters, which could look like more text.
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

/// The text does not name a policy and a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a policy and a statement such as `Push, statement 0`")]
pub struct NotAStatementName;

/// The condition keys of a request with their values.
pub(super) type Context = BTreeMap<String, Vec<String>>;

/// A request that IAM would allow, and the statements that allow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// The ARN of the resource; `*` for an action without resource type.
    pub resource: String,
    /// The condition keys that the request needs, with their values. A key that is not listed is absent, or has any value
    /// if it is always present.
    pub context: Context,
    /// The Allow statements that match the request, including those of the boundary and the session policy.
    pub grants: Vec<Grant>,
    /// The account of the resource if it is not the role's account. A policy of that account has to allow the request too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_account: Option<String>,
    /// What has to be so for IAM to allow the request. Mostly empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<Assumption>,
}

impl Witness {
    /// Whether the request has no value that only unusual requests have.
    pub(super) fn is_usual(&self) -> bool {
        !self.assumed.iter().any(|assumption| matches!(assumption, Assumption::Context { .. }))
    }
}

/// What has to be so for IAM to allow a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Assumption {
    /// AWS's documentation leaves open whether the statement matches the request.
    Statement {
        /// The statement.
        #[serde(flatten)]
        statement: Grant,
        /// The assumption: an Allow matches, a Deny does not match.
        matches: bool,
    },
    /// Only unusual requests have this value for the key.
    Context {
        /// The condition key, as AWS spells it.
        key: &'static str,
        /// Its value in the request.
        value: String,
        /// One sentence: when a request has such a value.
        text: &'static str,
    },
}

/// `policy NAME, statement Push, matches`, or `aws:ViaAWSService = true: An AWS service makes …`.
impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement { statement, matches } => {
                write!(f, "{statement}, {}", if *matches { "matches" } else { "does not match" })
            }
            Self::Context { key, value, text } => write!(f, "{key} = {value}: {text}"),
        }
    }
}

/// Whether the role can call an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// IAM would allow this request.
    Permitted(Arc<Witness>),
    /// IAM would allow no request. `permissions::refusals` gives the reason.
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
    /// The identity-based policies allow a request, but the permissions boundary allows none of them.
    Boundary,
    /// The identity-based policies and the boundary allow a request, but the session policy allows none of them.
    Session,
    /// These Deny statements refuse every request that is allowed. Without any one of them, IAM would allow a request.
    Denied(Vec<Grant>),
}
