//! What a role may do to ECR: for each action, whether there is a request that IAM would allow it, and the request.
//!
//! Knows the answers and what they are made of. How they are found is [`super::decider`]'s.

use time::OffsetDateTime;

use super::catalogue::{self, Action};
use super::context::RoleContext;
use super::decider::{Decider, Question};
use super::decision::{Decision, Refusal};
use super::role::Role;
use super::statements::{role_statements, unknown_actions};
use crate::policy::budget::Budget;

/// Steps of work for one role, all its actions together.
pub const STEPS_PER_ROLE: u64 = 2_000_000;

/// Steps that each action gets at first, so that one that is hard to decide leaves enough for the others.
const STEPS_AT_FIRST: u64 = 20_000;

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
    let context = context(role, at);
    let statements = role_statements(role);
    let budget = Budget::new(STEPS_PER_ROLE);
    let mut decider = Decider::new(&context, &statements, role.permissions_boundary.is_some(), &budget);
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

/// Why each refused action of the catalogue is refused, for requests made at `at` or later.
///
/// Decides the role once more, and under a budget of its own. What that does not suffice to narrow down names every
/// Deny that bears on the action.
pub fn refusals(role: &Role, at: OffsetDateTime) -> Vec<(&'static Action, Refusal)> {
    let context = context(role, at);
    let statements = role_statements(role);
    let budget = Budget::new(STEPS_PER_ROLE);
    let mut decider = Decider::new(&context, &statements, role.permissions_boundary.is_some(), &budget);
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

fn context(role: &Role, at: OffsetDateTime) -> RoleContext<'_> {
    RoleContext { arn: &role.arn, id: &role.id, tags: &role.tags, trust: &role.trust_policy, at: seconds(at) }
}
