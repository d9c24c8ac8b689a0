//! What a role may do to ECR: for each action, whether there is a request that IAM would allow it, and the request.
//!
//! Knows the answers and what they are made of. How they are found is [`super::decider`]'s.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;

use super::Role;
use super::catalogue::{self, Action};
use super::context::Subject;
use super::decider::{Decider, Question};
use super::rules::{rules, unknown_actions};
use crate::policy::language::Budget;

/// Steps of work for one role, all its actions together.
pub const STEPS_PER_ROLE: u64 = 2_000_000;

/// Steps that each action gets at first, so that one that is hard to decide leaves enough for the others.
const STEPS_AT_FIRST: u64 = 20_000;

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

impl GrantKind {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Managed => "managed",
            Self::Boundary => "boundary",
        }
    }
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

/// The statement as a reader finds it: the policy's name and the statement's Sid or number.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = self.policy.rsplit('/').next().unwrap_or(&self.policy);
        write!(f, "policy {policy} statement ")?;
        match &self.sid {
            Some(sid) if !sid.is_empty() => f.write_str(sid),
            _ => write!(f, "{}", self.statement),
        }
    }
}

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

/// What a role may do to ECR.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    /// By the catalogue's order of actions.
    pub catalogued: Vec<Decision>,
    /// Literal actions under ECR's prefixes that the catalogue does not know, as the policies spell them.
    pub unknown: Vec<(String, Decision)>,
}

/// Decides every action of the catalogue, and the literal actions that it does not know, for requests made at
/// `at` or later.
pub fn permissions(role: &Role, at: OffsetDateTime) -> Permissions {
    let subject = subject(role, seconds(at));
    let rules = rules(role);
    let budget = Budget::new(STEPS_PER_ROLE);
    let mut decider = Decider::new(&subject, &rules, role.permissions_boundary.is_some(), &budget);
    let actions = || catalogue::actions().iter().enumerate();
    let at_first = |(place, action)| {
        budget.part(STEPS_AT_FIRST);
        decider.decide_catalogued(place, action)
    };
    let mut catalogued: Vec<Decision> = actions().map(at_first).collect();
    budget.whole();
    decider.reconsider();
    for ((place, action), decision) in actions().zip(&mut catalogued) {
        if *decision == Decision::Undecided {
            *decision = decider.decide_catalogued(place, action);
        }
    }
    let unknown = unknown_actions(role).into_iter().map(|name| {
        let decision = decider.decide_unknown(&name);
        (name, decision)
    });
    Permissions { catalogued, unknown: unknown.collect() }
}

/// Why each refused action of the catalogue is refused, for requests made at `at` or later.
///
/// Decides the role once more, and under a budget of its own. What that does not suffice to narrow down names every
/// Deny that bears on the action.
pub fn refusals(role: &Role, at: OffsetDateTime) -> Vec<(&'static Action, Refusal)> {
    let subject = subject(role, seconds(at));
    let rules = rules(role);
    let budget = Budget::new(STEPS_PER_ROLE);
    let mut decider = Decider::new(&subject, &rules, role.permissions_boundary.is_some(), &budget);
    let mut known: Vec<(Question, Refusal)> = Vec::new();
    let mut refusals = Vec::new();
    for (place, action) in catalogue::actions().iter().enumerate() {
        if decider.decide_catalogued(place, action) != Decision::Refused {
            continue;
        }
        let question = decider.question(place, action);
        let refusal = match known.iter().find(|(same, _)| *same == question) {
            Some((_, refusal)) => refusal.clone(),
            None => {
                let refusal = decider.refusal(&question);
                known.push((question, refusal.clone()));
                refusal
            }
        };
        refusals.push((action, refusal));
    }
    refusals
}

/// The first whole second that is not before the instant.
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in an f64")]
fn seconds(at: OffsetDateTime) -> f64 {
    (at.unix_timestamp() + i64::from(at.nanosecond() > 0)) as f64
}

fn subject(role: &Role, at: f64) -> Subject<'_> {
    Subject { arn: &role.arn, id: &role.id, tags: &role.tags, trust: &role.trust_policy, at }
}
