//! Remarks on a role's policies: Allow statements that name ECR actions and match no request, each with the reason.
//!
//! A remark is given only if it is proved that the statement matches no request, even without the role's other statements,
//! its Deny statements and its permissions boundary. Remarks change no verdict.
//!
//! Cost: a statement that allows a request of the role's own decision needs no search. All others of a role share a budget
//! of [`STEPS`]. A statement that is not decided within it gets no remark.
//!
//! Not reported: statements of AWS managed policies, because nobody can edit them.

mod remark;
mod resource_fault;

use std::collections::BTreeSet;
use std::sync::Arc;

use time::OffsetDateTime;

pub use self::remark::{Remark, RemarkKind};
use self::resource_fault::{is_placeholder, resource_fault, template_variable};
use super::catalogue::{self, Action, Operation, ResourceType, Service};
use super::context::RoleContext;
use super::decider::Decider;
use super::decision::{Decision, Grant, GrantKind, Layer, Witness};
use super::permissions::{Permissions, context, own_context};
use super::role::Role;
use super::statements::RoleStatement;
use crate::policy::arn::Arn;
use crate::policy::budget::{Budget, OverBudget};
use crate::policy::condition::Condition;
use crate::policy::pattern::ActionPattern;
use crate::policy::{Effect, Statement};

/// The budget for the remarks of one role, in steps.
const STEPS: u64 = 100_000;

/// The resource types that an unknown action may have.
const UNKNOWN_TYPES: [ResourceType; 2] = [ResourceType::Repository, ResourceType::Other];

/// The remarks on a role's statements, sorted by policy and statement. `permissions` are those of the role for requests
/// made at `at` or later.
pub(super) fn remarks(
    role: &Role,
    statements: &[RoleStatement<'_>],
    permissions: &Permissions,
    at: OffsetDateTime,
) -> Vec<Remark> {
    let budget = Budget::new(STEPS);
    let mut candidates: Vec<(Grant, &RoleStatement<'_>)> = (statements.iter())
        .filter(|statement| statement.body.effect == Effect::Allow && catalogue::names_ecr(&statement.body.actions))
        .map(|statement| (statement.grant(), statement))
        .filter(|(grant, _)| !is_aws_managed(grant))
        .collect();
    if candidates.is_empty() || leave_out_matching(&mut candidates, permissions, &budget).is_err() {
        return Vec::new();
    }
    candidates.sort_by(|(a, _), (b, _)| (a.kind, &a.policy, a.statement).cmp(&(b.kind, &b.policy, b.statement)));
    // A policy can be both attached and the boundary.
    candidates.dedup_by(|(a, _), (b, _)| (&a.policy, a.statement) == (&b.policy, b.statement));
    let (of_role, of_session) = (own_context(role, at), context(role, at));
    let remark = |(grant, statement): (Grant, &RoleStatement<'_>)| {
        let context = if grant.kind == GrantKind::Session { &of_session } else { &of_role };
        let (kind, text) = Alone { context, budget: &budget }.reason(statement)?;
        Some(Remark::new(grant, kind, text))
    };
    candidates.into_iter().filter_map(remark).collect()
}

fn is_aws_managed(grant: &Grant) -> bool {
    Arn::parse(&grant.policy).is_some_and(|arn| arn.aws_managed_policy().is_some())
}

/// Leaves out the statements that allow a request which the role can make.
fn leave_out_matching(
    candidates: &mut Vec<(Grant, &RoleStatement<'_>)>,
    permissions: &Permissions,
    budget: &Budget,
) -> Result<(), OverBudget> {
    let mut left: BTreeSet<Grant> = candidates.iter().map(|(grant, _)| grant.clone()).collect();
    let unknown = permissions.unknown.iter().map(|(_, decision)| decision);
    let mut last: Option<&Arc<Witness>> = None;
    for decision in permissions.catalogued.iter().chain(unknown) {
        let Decision::Permitted(witness) = decision else { continue };
        // Actions next to each other often share a witness.
        if left.is_empty() || last.is_some_and(|last| Arc::ptr_eq(last, witness)) {
            continue;
        }
        budget.spend(witness.grants.len())?;
        for grant in &witness.grants {
            left.remove(grant);
        }
        last = Some(witness);
    }
    candidates.retain(|(grant, _)| left.contains(grant));
    Ok(())
}

/// Decides about single statements, each as if it were the role's only one.
struct Alone<'a> {
    context: &'a RoleContext<'a>,
    budget: &'a Budget,
}

impl Alone<'_> {
    /// Why the statement matches no request. `None` if it matches one, or if that is not decided within the budget.
    fn reason(&self, statement: &RoleStatement<'_>) -> Option<(RemarkKind, String)> {
        if !self.is_refused(statement) {
            return None;
        }
        let reason = self.of_actions(statement).or_else(|| self.of_conditions(statement));
        Some(reason.unwrap_or_else(|| self.of_resources(statement)))
    }

    /// Whether it is proved that the statement matches no request for an action of ECR.
    fn is_refused(&self, statement: &RoleStatement<'_>) -> bool {
        let alone = [statement.of_identity(statement.body)];
        let mut decider = Decider::new(self.context, &alone, vec![Layer::Identity], self.budget).with_any_request();
        let mut actions = catalogue::actions().iter().enumerate();
        actions.all(|(place, action)| decider.decide_catalogued(place, action) == Decision::Refused)
            && catalogue::unknown_literals(&statement.body.actions)
                .all(|unknown| decider.decide_unknown(unknown) == Decision::Refused)
    }

    /// [`Alone::is_refused`] for the statement with these conditions.
    fn is_refused_with(&self, statement: &RoleStatement<'_>, conditions: Vec<Condition>) -> bool {
        let body = Statement { conditions, ..statement.body.clone() };
        self.is_refused(&statement.of_identity(&body))
    }

    fn exists(&self, service: Service) -> bool {
        service == Service::Ecr || self.context.partition() == "aws"
    }

    /// The services and resource types of the actions that the statement matches, as far as they exist in the partition.
    fn targets(&self, statement: &RoleStatement<'_>) -> Vec<(Service, ResourceType)> {
        let of_actions = actions_of(statement).map(|action| (action.service, action.resource));
        let unknown = catalogue::unknown_literals(&statement.body.actions).filter_map(catalogue::service_of);
        let of_unknown = unknown.flat_map(|service| UNKNOWN_TYPES.map(|resource| (service, resource)));
        let mut targets: Vec<_> = of_actions.chain(of_unknown).filter(|(service, _)| self.exists(*service)).collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }

    /// A reason that lies in the actions.
    fn of_actions(&self, statement: &RoleStatement<'_>) -> Option<(RemarkKind, String)> {
        if !self.targets(statement).is_empty() {
            return None;
        }
        let patterns = &statement.body.actions.patterns;
        if let Some(operation) =
            patterns.iter().filter_map(ActionPattern::as_literal).find_map(catalogue::find_operation)
        {
            let Operation { full_name, checked_action } = operation;
            let reason =
                format!("`{full_name}` is an API operation, not an action; IAM checks `{checked_action}` instead");
            return Some((RemarkKind::Other, reason));
        }
        let named = |pattern: &&ActionPattern| pattern.service().and_then(catalogue::service_of_prefix).is_some();
        let named = patterns.iter().find(named).map(ToString::to_string).unwrap_or_default();
        if actions_of(statement).next().is_none()
            && catalogue::unknown_literals(&statement.body.actions).next().is_none()
        {
            let reason = format!("no action of ECR matches `{named}`");
            return Some(match template_variable(&named) {
                Some(variable) => (
                    RemarkKind::TemplateVariable,
                    format!("{reason}: the template variable `{variable}` was not replaced"),
                ),
                None => (RemarkKind::Other, reason),
            });
        }
        let partition = self.context.partition();
        let reason = format!("`{named}`: ECR Public exists in partition `aws` only; the role is in `{partition}`");
        Some((RemarkKind::OtherPartition, reason))
    }

    /// A reason that lies in the conditions. `None` if the statement matches no request without them either.
    fn of_conditions(&self, statement: &RoleStatement<'_>) -> Option<(RemarkKind, String)> {
        let conditions = &statement.body.conditions;
        if conditions.is_empty() || self.is_refused_with(statement, Vec::new()) {
            return None;
        }
        for kind in [RemarkKind::TemplateVariable, RemarkKind::Placeholder] {
            let find = if kind == RemarkKind::Placeholder { placeholder } else { template_variable };
            let fault = |condition: &Condition| condition.values().iter().find_map(|value| find(value));
            let (faulty, sound): (Vec<_>, Vec<_>) = conditions.iter().partition(|one| fault(one).is_some());
            if let Some(first) = faulty.first()
                && let Some(text) = fault(first)
                && !self.is_refused_with(statement, sound.into_iter().cloned().collect())
            {
                let key = first.key.as_written();
                let what = if kind == RemarkKind::Placeholder { "placeholder" } else { "template variable" };
                return Some((
                    kind,
                    format!("its condition on `{key}` has the {what} `{text}`, which was not replaced"),
                ));
            }
        }
        let mut keys: Vec<String> = conditions.iter().map(|one| format!("`{}`", one.key.as_written())).collect();
        keys.dedup();
        Some((
            RemarkKind::Other,
            format!("no request for its actions and resources meets its conditions on {}", keys.join(", ")),
        ))
    }

    /// A reason that lies in the resources.
    fn of_resources(&self, statement: &RoleStatement<'_>) -> (RemarkKind, String) {
        let (resources, targets) = (&statement.body.resources, self.targets(statement));
        if resources.negated {
            return (RemarkKind::Other, "its `NotResource` excludes every resource of its actions".to_owned());
        }
        let Some(first) = resources.patterns.first() else {
            return (RemarkKind::Other, "its `Resource` is empty".to_owned());
        };
        if targets.iter().all(|(_, resource)| *resource == ResourceType::None) {
            let mut actions = actions_of(statement).filter(|action| self.exists(action.service));
            let action = actions.next().map_or("the action", |action| action.full_name);
            let reason = format!("`{action}` has no resource type; set `Resource` to `*`, not to `{first}`");
            return (RemarkKind::Other, reason);
        }
        let fault = |pattern| resource_fault(pattern, &targets, self.context.partition(), self.budget);
        // Of equal kinds, the first pattern.
        let worst = resources.patterns.iter().map(fault).min_by_key(|(kind, _)| *kind);
        worst.unwrap_or_else(|| (RemarkKind::Other, format!("`{first}` is no resource of its actions")))
    }
}

/// The actions of the catalogue that the statement matches.
fn actions_of(statement: &RoleStatement<'_>) -> impl Iterator<Item = &'static Action> {
    let actions = statement.actions;
    let matching = move |(place, _): &(usize, &Action)| actions.contains(*place);
    catalogue::actions().iter().enumerate().filter(matching).map(|(_, action)| action)
}

fn placeholder(value: &str) -> Option<String> {
    is_placeholder(value).then(|| value.to_owned())
}
