//! Effective permissions: for each action, is there a request that IAM would allow the role?
//!
//! Knows how IAM puts policies together: the union of the identity-based policies, cut by the permissions
//! boundary and by every Deny. [`super::request`] makes clauses of statements, [`super::solver`] finds the
//! request. Where the documentation leaves two readings, an Allow is taken in the wide one and a Deny in the
//! narrow one.
//!
//! Source: IAM User Guide, "Policy evaluation logic".

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::catalogue::{self, ActionSet, ResourceType, Service};
use super::context::{Knowledge, Subject, Target, Unknown};
use super::request::{Assumptions, Problem};
use super::solver::{Clause, Found, Values, solve};
use super::{Policy, PolicySource, Role};
use crate::policy::condition::{Meaning, resolve};
use crate::policy::language::Budget;
use crate::policy::pattern::{Reading, Token, Variable};
use crate::policy::{Effect, Statement};

/// Steps of work for one role, all its actions together.
pub const STEPS_PER_ROLE: u64 = 2_000_000;

/// How many values are tried for the keys that variables stand for, before the action is left undecided.
const MOST_ATTEMPTS: usize = 24;

/// How many values are made of a resource that was found.
const MOST_FITTING: usize = 8;

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
}

/// What is known of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Some request is allowed.
    Permitted(Arc<Witness>),
    /// No request is allowed, and this is why.
    Refused(Refusal),
    /// Not decided within the budget.
    Undecided,
}

/// Why no request is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No Allow matches any request for the action.
    NoAllow,
    /// The identity-based policies allow, the permissions boundary does not.
    Boundary,
    /// What is allowed, a Deny refuses.
    Denied,
}

/// A statement that bears on ECR, and where it stands.
struct Rule<'r> {
    statement: &'r Statement,
    policy: &'r Policy,
    kind: GrantKind,
    index: usize,
    actions: ActionSet,
}

impl Rule<'_> {
    fn allows(&self, boundary: bool) -> bool {
        self.statement.effect == Effect::Allow && (self.kind == GrantKind::Boundary) == boundary
    }

    /// Whether a condition or a variable names a key that only some actions' requests have.
    fn looks_at_keys_of_single_actions(&self) -> bool {
        let single = |key: &str| {
            let key = key.to_ascii_lowercase();
            catalogue::actions().iter().flat_map(|action| action.keys).any(|own| key.starts_with(own))
        };
        let conditions = &self.statement.conditions;
        self.statement.resources.patterns.iter().any(|pattern| pattern.as_str().contains("${"))
            || conditions
                .iter()
                .any(|condition| single(&condition.key) || condition.variables().any(|key| single(&key)))
    }

    fn grant(&self) -> Grant {
        let policy = match &self.policy.source {
            PolicySource::Inline(name) => name.clone(),
            PolicySource::Managed(arn) => arn.clone(),
        };
        Grant { policy, kind: self.kind, sid: self.statement.sid.clone(), statement: self.index }
    }
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
/// `at` (seconds since 1970) or later.
pub fn permissions(role: &Role, at: f64) -> Permissions {
    let subject = Subject { arn: &role.arn, id: &role.id, tags: &role.tags, trust: &role.trust_policy, at };
    let rules = rules(role);
    let mut decider = Decider {
        subject: &subject,
        rules: &rules,
        bounded: role.permissions_boundary.is_some(),
        budget: Budget::new(STEPS_PER_ROLE),
        decided: Vec::new(),
    };
    // What sets single actions apart matters only where some statement looks at it.
    let own_keys = rules.iter().any(Rule::looks_at_keys_of_single_actions);
    let some_resources = rules.iter().any(|rule| !rule.statement.resources.patterns.iter().all(|p| p.is_everything()));
    let catalogued = catalogue::actions()
        .iter()
        .enumerate()
        .map(|(i, action)| {
            let target = Target {
                service: action.service,
                resource: action.resource,
                keys: Some(if own_keys { action.keys } else { &[] }),
                all_repositories: some_resources && action.full_name == "ecr:DescribeRepositories",
            };
            decider.decide(target, rules.iter().map(|rule| rule.actions.contains(i)))
        })
        .collect();
    let unknown = unknown_actions(role).into_iter().map(|name| {
        let decision = decider.decide_unknown(&name);
        (name, decision)
    });
    Permissions { catalogued, unknown: unknown.collect() }
}

/// The statements that bear on an action of the catalogue or may bear on an unknown one, in an order that does not
/// depend on where they stand.
fn rules(role: &Role) -> Vec<Rule<'_>> {
    let kind = |policy: &Policy| match policy.source {
        PolicySource::Inline(_) => GrantKind::Inline,
        PolicySource::Managed(_) => GrantKind::Managed,
    };
    let identity = role.policies.iter().map(|policy| (policy, kind(policy)));
    let boundary = role.permissions_boundary.iter().map(|policy| (policy, GrantKind::Boundary));
    let mut rules = Vec::new();
    for (policy, kind) in identity.chain(boundary) {
        for (index, statement) in policy.document.statements.iter().enumerate() {
            let actions = ActionSet::matching(&statement.actions, reading(statement.effect));
            if !actions.is_empty() || catalogue::names_unknown_action(&statement.actions) {
                rules.push(Rule { statement, policy, kind, index, actions });
            }
        }
    }
    rules.sort_by(|a, b| {
        let place = |rule: &Rule<'_>| (rule.kind, rule.policy.source.clone(), rule.index);
        a.statement.cmp_content(b.statement).then_with(|| place(a).cmp(&place(b)))
    });
    rules
}

fn reading(effect: Effect) -> Reading {
    match effect {
        Effect::Allow => Reading::Wide,
        Effect::Deny => Reading::Narrow,
    }
}

/// The literal actions under ECR's prefixes that an identity-based policy allows and the catalogue does not know,
/// each in one spelling.
fn unknown_actions(role: &Role) -> Vec<String> {
    let statements = role.policies.iter().flat_map(|policy| &policy.document.statements);
    let allows = statements.filter(|statement| statement.effect == Effect::Allow && !statement.actions.negated);
    let mut names: Vec<String> =
        allows.flat_map(|statement| catalogue::unknown_literals(&statement.actions)).map(str::to_owned).collect();
    names.sort_unstable_by(|a, b| a.to_lowercase().cmp(&b.to_lowercase()).then_with(|| a.cmp(b)));
    names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    names
}

struct Decider<'r> {
    subject: &'r Subject<'r>,
    rules: &'r [Rule<'r>],
    bounded: bool,
    budget: Budget,
    /// Decisions taken, by target and the rules that match: actions that all statements treat alike share one.
    decided: Vec<(Target, Vec<usize>, Decision)>,
}

impl Decider<'_> {
    fn decide(&mut self, target: Target, matching: impl Iterator<Item = bool> + Clone) -> Decision {
        if target.service == Service::EcrPublic && self.subject.partition() != "aws" {
            return Decision::Refused(Refusal::NoAllow);
        }
        // Most actions are granted by nothing at all.
        if !self.rules.iter().zip(matching.clone()).any(|(rule, matches)| matches && rule.allows(false)) {
            return Decision::Refused(Refusal::NoAllow);
        }
        let matching: Vec<usize> = matching.enumerate().filter_map(|(i, matches)| matches.then_some(i)).collect();
        let rules = || matching.iter().filter_map(|i| self.rules.get(*i));
        if self.bounded && !rules().any(|rule| rule.allows(true)) {
            return Decision::Refused(Refusal::Boundary);
        }
        let known = self.decided.iter().find(|(known, rules, _)| *known == target && *rules == matching);
        if let Some((_, _, decision)) = known {
            return decision.clone();
        }
        let rules: Vec<&Rule<'_>> = rules().collect();
        let decision = self.search(target, &rules);
        self.decided.push((target, matching, decision.clone()));
        decision
    }

    /// An action that the catalogue does not know may be requested on a repository, on a resource of a type that is
    /// not known either, or on `*`, and with any key.
    fn decide_unknown(&mut self, name: &str) -> Decision {
        let (prefix, action) = name.split_once(':').unwrap_or(("", name));
        let public = prefix.eq_ignore_ascii_case(Service::EcrPublic.prefix());
        let service = if public { Service::EcrPublic } else { Service::Ecr };
        let matching: Vec<bool> = self
            .rules
            .iter()
            .map(|rule| {
                let scope = &rule.statement.actions;
                let reading = reading(rule.statement.effect);
                let inner = if scope.negated { reading.other() } else { reading };
                scope.patterns.iter().any(|p| p.matches(service.prefix(), action, inner)) != scope.negated
            })
            .collect();
        let mut best = Decision::Refused(Refusal::NoAllow);
        for resource in [ResourceType::Repository, ResourceType::Other, ResourceType::None] {
            let target = Target { service, resource, keys: None, all_repositories: false };
            match (self.decide(target, matching.iter().copied()), &best) {
                (permitted @ Decision::Permitted(_), _) => return permitted,
                (_, Decision::Undecided) => {}
                (other, _) => best = other,
            }
        }
        best
    }

    fn search(&mut self, target: Target, rules: &[&Rule<'_>]) -> Decision {
        // Variables may stand for keys whose values are unknown. These are read as anything first, which finds too
        // much; whether a request is left when they have the values of the very request found is asked then, and if
        // not, these values are shut out and the next ones are tried.
        let mut assumed = Assumptions::default();
        let mut undecided = false;
        for _ in 0..MOST_ATTEMPTS {
            let (open, values, resource) = match self.search_with(target, rules, &assumed) {
                Searched::Found { witness, open, .. } if open.is_empty() => return Decision::Permitted(witness),
                Searched::Nothing if undecided => return Decision::Undecided,
                Searched::Nothing => return Decision::Refused(self.refusal(target, rules)),
                Searched::Unknown => return Decision::Undecided,
                Searched::Found { witness, open, values } => (open, values, witness.resource.clone()),
            };
            let mut attempts = vec![values.clone()];
            attempts.extend(self.fitting(target, rules, &open, &resource).into_iter().map(|(unknown, value)| {
                let other = |(known, old): &(Unknown, Option<String>)| {
                    (known.clone(), if *known == unknown { Some(value.clone()) } else { old.clone() })
                };
                values.iter().map(other).collect()
            }));
            for values in attempts {
                match self.search_with(target, rules, &Assumptions { values, excluded: Vec::new() }) {
                    Searched::Found { witness, open, .. } if open.is_empty() => return Decision::Permitted(witness),
                    Searched::Nothing => {}
                    Searched::Found { .. } | Searched::Unknown => undecided = true,
                }
            }
            assumed.excluded.push(values);
        }
        Decision::Undecided
    }

    /// Values of unknowns with which a pattern in a statement matches a resource that was found.
    fn fitting(
        &mut self,
        target: Target,
        rules: &[&Rule<'_>],
        open: &[Unknown],
        resource: &str,
    ) -> Vec<(Unknown, String)> {
        let mut fitting = Vec::new();
        let name = resource.splitn(6, ':').nth(5).unwrap_or_default();
        for pattern in rules.iter().flat_map(|rule| &rule.statement.resources.patterns) {
            // Every part of the name is held against every pattern: that has its price.
            if fitting.len() >= MOST_FITTING || self.budget.spend(name.len().pow(3) / 8).is_err() {
                break;
            }
            let Some(last) = pattern.fields().pop() else { continue };
            for unknown in open {
                let mut ends: Vec<usize> = name.char_indices().map(|(i, _)| i).collect();
                ends.push(name.len());
                let parts = ends
                    .iter()
                    .enumerate()
                    .flat_map(|(i, start)| ends.iter().skip(i + 1).filter_map(|end| name.get(*start..*end)));
                let subject = self.subject;
                let stands_for = |variable: &Variable| {
                    let key = variable.key.to_lowercase();
                    subject.knowledge(&target, &key) == Knowledge::Unknown(unknown.clone())
                };
                if !last.iter().any(|token| matches!(token, Token::Variable(variable) if stands_for(variable))) {
                    continue;
                }
                let fits = |part: &&str| {
                    let meaning = |variable: &Variable| {
                        if stands_for(variable) { Meaning::Text((*part).to_owned()) } else { Meaning::Anything }
                    };
                    resolve(&last, Reading::Wide, &meaning).is_some_and(|glob| glob.matches(name, false))
                };
                fitting.extend(parts.filter(fits).take(MOST_FITTING).map(|part| (unknown.clone(), part.to_owned())));
            }
        }
        fitting
    }

    /// Searches for a request that an Allow of the identity-based policies and, where there is one, of the
    /// boundary match and that escapes every Deny.
    fn search_with(&mut self, target: Target, rules: &[&Rule<'_>], assumed: &Assumptions) -> Searched {
        let mut problem = Problem::new(self.subject, target, assumed);
        let mut common: Vec<Clause> = Vec::new();
        let mut allows: Vec<(&Rule<'_>, Vec<Clause>)> = Vec::new();
        for rule in rules {
            match rule.statement.effect {
                Effect::Deny => common.extend(problem.escape(rule.statement)),
                Effect::Allow => allows.extend(problem.allow(rule.statement).map(|clauses| (*rule, clauses))),
            }
        }
        common.extend(problem.ties());
        if self.budget.spend(problem.work()).is_err() {
            return Searched::Unknown;
        }
        let open = problem.open();
        let mut unknown = false;
        let (bounds, grants): (Vec<_>, Vec<_>) = allows.iter().partition(|(rule, _)| rule.kind == GrantKind::Boundary);
        let no_bound = Vec::new();
        let bounds: Vec<&Vec<Clause>> =
            if self.bounded { bounds.iter().map(|(_, clauses)| clauses).collect() } else { vec![&no_bound] };
        for (_, grant) in &grants {
            for bound in &bounds {
                let clauses: Vec<&Clause> = grant.iter().chain(*bound).chain(&common).collect();
                match solve(&problem.slots, &clauses, &mut self.budget) {
                    Found::Nothing => {}
                    Found::Unknown => unknown = true,
                    Found::Values(values) => {
                        let witness = Arc::new(witness(&problem, &values, rules, &allows));
                        let slot = |unknown: &Unknown| problem.find_slot(unknown).and_then(|i| values.get(i)?.clone());
                        let values =
                            open.iter().map(|u| (u.clone(), slot(u).and_then(|v| v.first().cloned()))).collect();
                        return Searched::Found { witness, open, values };
                    }
                }
            }
        }
        if unknown { Searched::Unknown } else { Searched::Nothing }
    }

    /// Why no request is allowed, found by leaving out first the Deny statements and then the boundary.
    fn refusal(&mut self, target: Target, rules: &[&Rule<'_>]) -> Refusal {
        let allows: Vec<&Rule<'_>> =
            rules.iter().filter(|rule| rule.statement.effect == Effect::Allow).copied().collect();
        if allows.len() < rules.len()
            && matches!(self.search_with(target, &allows, &Assumptions::default()), Searched::Found { .. })
        {
            return Refusal::Denied;
        }
        let grants: Vec<&Rule<'_>> = allows.into_iter().filter(|rule| rule.allows(false)).collect();
        let bounded = std::mem::take(&mut self.bounded);
        let refusal = match bounded
            && matches!(self.search_with(target, &grants, &Assumptions::default()), Searched::Found { .. })
        {
            true => Refusal::Boundary,
            false => Refusal::NoAllow,
        };
        self.bounded = bounded;
        refusal
    }
}

enum Searched {
    /// A request, the unknowns that variables left open, and what these are in it.
    Found {
        witness: Arc<Witness>,
        open: Vec<Unknown>,
        values: Vec<(Unknown, Option<String>)>,
    },
    Nothing,
    Unknown,
}

fn witness(
    problem: &Problem<'_>,
    values: &Values,
    rules: &[&Rule<'_>],
    allows: &[(&Rule<'_>, Vec<Clause>)],
) -> Witness {
    let mut context = BTreeMap::new();
    let mut grants = Vec::new();
    for (rule, clauses) in allows {
        let matches = |clause: &Clause| clause.iter().any(|cube| cube.iter().all(|literal| literal.holds(values)));
        if clauses.iter().all(matches) {
            grants.push(rule.grant());
            problem.mention(rule.statement, values, &mut context);
        }
    }
    for rule in rules.iter().filter(|rule| rule.statement.effect == Effect::Deny) {
        problem.mention(rule.statement, values, &mut context);
    }
    grants.sort_unstable_by(|a, b| (a.kind == GrantKind::Boundary, a).cmp(&(b.kind == GrantKind::Boundary, b)));
    Witness { resource: problem.resource_arn(values), context, grants }
}
