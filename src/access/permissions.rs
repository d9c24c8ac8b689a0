//! What a role may do to ECR: a decision for each action, within one budget.
//!
//! Knows which actions are decided and how the budget is shared. `decider.rs` makes the decisions.

use std::sync::LazyLock;

use time::OffsetDateTime;

use super::catalogue::{self, Action};
use super::context::RoleContext;
use super::decider::{Decider, Question};
use super::decision::{Decision, Refusal};
use super::role::Role;
use super::statements::{RoleStatement, layers, role_statements, unknown_actions};
use crate::policy::TrustPolicy;
use crate::policy::budget::Budget;

/// The budget for one role, in steps, for all its actions together.
pub const STEPS_PER_ROLE: u64 = 2_000_000;

/// The steps that each action gets at first, so that a hard one leaves enough for the others.
const STEPS_AT_FIRST: u64 = 20_000;

/// What a role may do to ECR.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    /// The actions of the catalogue, in its order.
    pub catalogued: Vec<Decision>,
    /// Literal actions with ECR's prefixes that the catalogue does not know, as the policies spell them.
    pub unknown: Vec<(String, Decision)>,
}

/// Decides every action of the catalogue, and every unknown literal action in the policies, for requests made at `at` or
/// later.
pub fn permissions(role: &Role, at: OffsetDateTime) -> Permissions {
    permissions_by(role, &role_statements(role), at)
}

/// [`permissions`] by the role's statements.
pub(super) fn permissions_by(role: &Role, statements: &[RoleStatement<'_>], at: OffsetDateTime) -> Permissions {
    let context = context(role, at);
    let budget = Budget::new(STEPS_PER_ROLE);
    let mut decider = Decider::new(&context, statements, layers(role), &budget);
    let actions = || catalogue::actions().iter().enumerate();
    let at_first = |(place, action)| {
        budget.set_aside_all_but(STEPS_AT_FIRST);
        decider.decide_catalogued(place, action)
    };
    let mut catalogued: Vec<Decision> = actions().map(at_first).collect();
    budget.restore();
    decider.forget_undecided();
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

/// The reason for each refused action of the catalogue, for requests made at `at` or later.
///
/// Decides the role again, with a new budget. If the budget is not enough to find the Deny statements that matter, the
/// reason lists every Deny that matches the action.
pub fn refusals(role: &Role, at: OffsetDateTime) -> Vec<(&'static Action, Refusal)> {
    let context = context(role, at);
    let statements = role_statements(role);
    let budget = Budget::new(STEPS_PER_ROLE);
    let mut decider = Decider::new(&context, &statements, layers(role), &budget);
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

/// Seconds since 1970, rounded up.
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in an f64")]
fn seconds(at: OffsetDateTime) -> f64 {
    (at.unix_timestamp() + i64::from(at.nanosecond() > 0)) as f64
}

/// Who starts the sessions that a session policy limits: EKS Pod Identity, without session tags. It also starts those of a
/// target role, with the credentials of the association's own role.
static POD_IDENTITY: LazyLock<TrustPolicy> = LazyLock::new(|| TrustPolicy::of_service("pods"));

/// The context of the requests that are decided.
pub(super) fn context(role: &Role, at: OffsetDateTime) -> RoleContext<'_> {
    let own = own_context(role, at);
    if role.session_policy.is_some() { RoleContext { trust: &POD_IDENTITY, ..own } } else { own }
}

/// The context of requests in sessions without a session policy.
pub(super) fn own_context(role: &Role, at: OffsetDateTime) -> RoleContext<'_> {
    RoleContext { arn: &role.arn, id: &role.id, tags: &role.tags, trust: &role.trust_policy, at: seconds(at) }
}
