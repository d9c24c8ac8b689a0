//! Decides for each action whether there is a request that IAM would allow the role to make.
//!
//! Knows how IAM combines policies: a request needs an Allow of an identity-based policy, an Allow of the permissions
//! boundary if there is one, an Allow of the session policy if there is one, and no Deny. `clauses.rs` turns statements into
//! clauses; `solver/` finds a request that satisfies them.
//!
//! Source: IAM User Guide, "Policy evaluation logic".

// INVARIANT: `Refused` is a proof.
//
// 1. Statements are read so that nothing is missed. An Allow is translated in the wide reading and a Deny in the narrow
//    one. So a request that IAM allows, under any interpretation of what AWS's documentation leaves open, satisfies
//    - the clauses of at least one Allow of each layer: identity-based policies, boundary, session policy,
//    - the clauses of every Deny, because it escapes each of them,
//    - the ties between the unknowns, which hold in every request.
//    `find_in` solves these clauses for each choice of one Allow per layer. If none has a solution, no request is allowed.
// 2. Variables are wildcards first, which over-approximates. A policy variable may stand for a key whose value is
//    unknown. The first search reads it as `*` (or as the form that all values of the key have) where that makes an
//    Allow match more, and as nothing where that makes a Deny match less. So it finds a solution if there is an allowed
//    request for any value of the key.
// 3. A solution is checked with its own values. If variables were read as wildcards, the unknowns that they stand for are
//    fixed to the values in the solution, the statements are translated again with these values in the place of the
//    variables, and clauses require that the unknowns have them. What this search finds is a request with exact variables.
// 4. Values that fail are excluded. If no request has these values together, the next search gets one more clause: at
//    least one of the unknowns has another value. This removes only requests that point 3 has ruled out, so `Nothing` is
//    still a proof in a later search. If the budget or the solver left one of the checks open, `Nothing` proves nothing any
//    more, and the action is undecided.
// 5. Candidates from `variables.rs` can only turn an answer into `Permitted`. They are never excluded when they fail.
// 6. Leaving statements out keeps the result: `without_undone_allows` removes an Allow only if one Deny refuses every
//    request that it allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalogue::{Action, ActionSet, ResourceType, Service};
use super::clauses::TargetClauses;
use super::context::{FixedValues, Knowledge, Owner, RoleContext, Target, Unknown, UnknownValue};
use super::decision::{Assumption, Decision, Layer, Refusal, Witness};
use super::request::Request;
use super::solver::{Clause, Found, Values, solve};
use super::statements::{RoleStatement, StatementKind};
use super::ties;
use super::unusual::{UNUSUAL, Unusual};
use super::variables::{fitting_values, likely_values};
use crate::policy::budget::Budget;
use crate::policy::context_key::ContextKey;

/// How many combinations of values are checked for the keys that variables stand for, before an action is undecided.
const MOST_ATTEMPTS: usize = 24;

/// The steps for each wish about a better proof.
const STEPS_FOR_BETTER: u64 = 20_000;

/// How many combinations of values are checked for a better proof.
const ATTEMPTS_FOR_BETTER: usize = 4;

/// All that decides about an action. Actions with the same question share one decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    target: Target,
    /// The statements that match the action, by their place, in the reading that finds more access.
    matching: Vec<usize>,
    /// The statements for which the two readings differ about the action.
    doubtful: Vec<usize>,
}

/// What one search requires of a request beyond the statements.
#[derive(Debug, Clone, Default)]
struct Restrictions {
    /// The unknowns have these values.
    fixed: FixedValues,
    /// No request has all values of one of these lists.
    excluded: Vec<FixedValues>,
    /// The resource belongs to the role's account.
    own_account: bool,
    /// An Allow matches in both readings, and a Deny matches in none of the two.
    both_readings: bool,
    /// All variables count as open, so that each of them gets a value.
    all_variables: bool,
    /// The request has none of these values.
    without: Vec<&'static Unusual>,
    /// The account of a VPC endpoint is in an organization.
    endpoint_in_organization: bool,
}

/// What makes a request a better proof.
enum Wish {
    Without(&'static Unusual),
    EndpointInOrganization,
    OwnAccount,
    BothReadings,
}

pub(super) struct Decider<'r> {
    role: &'r RoleContext<'r>,
    statements: &'r [RoleStatement<'r>],
    /// Each of them has to allow a request.
    layers: Vec<Layer>,
    budget: &'r Budget,
    /// The actions that some Allow of the identity-based policies matches.
    granted: ActionSet,
    /// Whether a statement mentions keys that only the requests for some actions have.
    names_keys_of_actions: bool,
    /// Whether statements mention the organization of the role's account and that of the resource's account.
    names_both_owners: bool,
    /// Whether a statement mentions tags of a resource or of a request.
    names_tags: bool,
    /// Whether a statement names resources.
    names_resources: bool,
    /// Whether the first request that is found is enough, without its assumptions. Otherwise the search goes on for a better
    /// proof.
    any_request: bool,
    decided: Vec<(Question, Decision)>,
    /// The clauses of earlier searches without fixed values, one entry for each target.
    translated: Vec<TargetClauses<'r>>,
}

impl<'r> Decider<'r> {
    pub(super) fn new(
        role: &'r RoleContext<'r>,
        statements: &'r [RoleStatement<'r>],
        layers: Vec<Layer>,
        budget: &'r Budget,
    ) -> Self {
        let grants = |statement: &&RoleStatement<'_>| statement.kind() == StatementKind::Allow(Layer::Identity);
        let allows = statements.iter().filter(grants);
        let everywhere =
            |statement: &RoleStatement<'_>| statement.body.resources.patterns.iter().all(|one| one.is_everything());
        Self {
            role,
            statements,
            layers,
            budget,
            granted: allows.fold(ActionSet::default(), |all, statement| all.union(statement.actions)),
            names_keys_of_actions: statements.iter().any(RoleStatement::names_keys_of_actions),
            names_both_owners: ["aws:principalorg", "aws:resourceorg"]
                .iter()
                .all(|start| statements.iter().any(|statement| statement.names_key_from(start))),
            names_tags: statements.iter().any(RoleStatement::names_tags),
            names_resources: !statements.iter().all(everywhere),
            any_request: false,
            decided: Vec::new(),
            translated: Vec::new(),
        }
    }

    /// The same decisions with the first request that is found, and without its assumptions.
    pub(super) fn with_any_request(self) -> Self {
        Self { any_request: true, ..self }
    }

    /// Forgets the undecided actions, so that they are decided again with more of the budget.
    pub(super) fn forget_undecided(&mut self) {
        self.decided.retain(|(_, decision)| *decision != Decision::Undecided);
    }

    /// The question of an action of the catalogue, given with its place there.
    pub(super) fn question(&self, place: usize, action: &Action) -> Question {
        // Actions that differ only in what no statement mentions share one question.
        let creates = self.names_tags && action.full_name == "ecr:CreateRepository";
        let target = Target {
            service: action.service,
            resource: action.resource,
            keys: Some(if self.names_keys_of_actions || creates { action.keys } else { &[] }),
            all_repositories: self.names_resources && action.full_name == "ecr:DescribeRepositories",
            creates,
            owner: Owner::Any,
            ecr_tags: true,
        };
        let places = |set: fn(&RoleStatement<'_>) -> ActionSet| {
            let places = self.statements.iter().enumerate();
            places.filter_map(|(i, statement)| set(statement).contains(place).then_some(i)).collect()
        };
        Question {
            target,
            matching: places(|statement| statement.actions),
            doubtful: places(|statement| statement.doubtful),
        }
    }

    /// Decides an action of the catalogue, given with its place there.
    pub(super) fn decide_catalogued(&mut self, place: usize, action: &Action) -> Decision {
        // Most actions are matched by no Allow.
        if self.granted.contains(place) { self.decide(self.question(place, action)) } else { Decision::Refused }
    }

    /// Decides an action that the catalogue does not know. Its requests may name a resource of any type of its service, `*`,
    /// or a resource of an unknown type, and may have any key.
    pub(super) fn decide_unknown(&mut self, name: &str) -> Decision {
        let (prefix, action) = name.split_once(':').unwrap_or(("", name));
        let public = prefix.eq_ignore_ascii_case(Service::EcrPublic.prefix());
        let service = if public { Service::EcrPublic } else { Service::Ecr };
        let (mut matching, mut doubtful) = (Vec::new(), Vec::new());
        for (i, statement) in self.statements.iter().enumerate() {
            let matches = |reading| statement.matches_action(service, action, reading, self.budget);
            let found = matches(statement.reading());
            if found {
                matching.push(i);
            }
            if found != matches(statement.reading().other()) {
                doubtful.push(i);
            }
            if self.budget.spend(1).is_err() {
                return Decision::Undecided;
            }
        }
        let mut best = Decision::Refused;
        let registry = public.then_some(ResourceType::Registry);
        let types = [ResourceType::Repository].into_iter().chain(registry);
        for resource in types.chain([ResourceType::None, ResourceType::Other]) {
            let target = Target {
                service,
                resource,
                keys: None,
                all_repositories: false,
                creates: false,
                owner: Owner::Any,
                ecr_tags: true,
            };
            match self.decide(Question { target, matching: matching.clone(), doubtful: doubtful.clone() }) {
                permitted @ Decision::Permitted(_) => return permitted,
                Decision::Undecided => best = Decision::Undecided,
                Decision::Refused => {}
            }
        }
        best
    }

    /// The statements that match the action, each with its place.
    fn matching(&self, question: &Question) -> impl Iterator<Item = (usize, &'r RoleStatement<'r>)> {
        let statements = self.statements;
        question.matching.iter().filter_map(move |place| Some((*place, statements.get(*place)?)))
    }

    /// The Deny statements for which the two readings differ about the action, each with its place.
    fn doubtful_denies(&self, question: &Question) -> impl Iterator<Item = (usize, &'r RoleStatement<'r>)> {
        let statements = self.statements;
        let doubtful = question.doubtful.iter().filter_map(move |place| Some((*place, statements.get(*place)?)));
        doubtful.filter(|(_, statement)| statement.is_deny())
    }

    fn decide(&mut self, question: Question) -> Decision {
        let exists = question.target.service == Service::Ecr || self.role.partition() == "aws";
        let any = |kind: StatementKind| self.matching(&question).any(|(_, statement)| statement.kind() == kind);
        if !exists || !self.layers.iter().all(|layer| any(StatementKind::Allow(*layer))) {
            return Decision::Refused;
        }
        if let Some((_, decision)) = self.decided.iter().find(|(known, _)| *known == question) {
            return decision.clone();
        }
        let decision = self.search(&question);
        self.decided.push((question, decision.clone()));
        decision
    }

    /// Why an action is refused. Decides it again without any Deny, with one more layer each time, and then without each Deny.
    pub(super) fn refusal(&mut self, question: &Question) -> Refusal {
        let refused = |decider: &mut Self, keep: &dyn Fn(usize, &RoleStatement<'_>) -> bool| {
            let matching = decider.matching(question).filter(|(place, statement)| keep(*place, statement));
            let matching = matching.map(|(place, _)| place).collect();
            decider.decide(Question { matching, ..question.clone() }) == Decision::Refused
        };
        let all = std::mem::take(&mut self.layers);
        let lacks_allow = |layer: &&Layer| {
            self.layers.push(**layer);
            let layers = self.layers.clone();
            let counts = |kind| layers.iter().any(|layer| kind == StatementKind::Allow(*layer));
            refused(self, &|_, statement| counts(statement.kind()))
        };
        let without_allow = all.iter().find(lacks_allow).copied();
        self.layers = all;
        match without_allow {
            Some(Layer::Identity) => return Refusal::NoAllow,
            Some(Layer::Boundary) => return Refusal::Boundary,
            Some(Layer::Session) => return Refusal::Session,
            None => {}
        }
        let denies = self.matching(question).filter(|(_, statement)| statement.is_deny());
        let mut denies: Vec<usize> = denies.map(|(place, _)| place).collect();
        for deny in denies.clone() {
            if refused(self, &|place, statement| place != deny && (!statement.is_deny() || denies.contains(&place))) {
                denies.retain(|place| *place != deny);
            }
        }
        let denies = denies.iter().filter_map(|place| self.statements.get(*place));
        let mut grants: Vec<_> = denies.map(RoleStatement::grant).collect();
        grants.sort_unstable();
        Refusal::Denied(grants)
    }

    /// The question without each Allow that a single Deny evidently cancels.
    fn without_undone_allows(&self, question: &Question) -> Question {
        let denies = self.matching(question).map(|(_, statement)| statement).filter(|statement| statement.is_deny());
        let denies: Vec<&RoleStatement<'_>> = denies.collect();
        let is_undone = |statement: &RoleStatement<'_>| {
            let by = |deny: &&RoleStatement<'_>| self.budget.spend(1).is_ok() && statement.is_undone_by(deny);
            !statement.is_deny() && denies.iter().any(by)
        };
        let matching = self.matching(question).filter(|(_, statement)| !is_undone(statement));
        Question { matching: matching.map(|(place, _)| place).collect(), ..question.clone() }
    }

    fn search(&mut self, question: &Question) -> Decision {
        if self.names_both_owners && question.target.owner == Owner::Any && question.target.has_resource() {
            return self.search_by_owner(question);
        }
        match self.search_all(question, &Restrictions::default(), MOST_ATTEMPTS) {
            Decision::Undecided => {
                let rest = self.without_undone_allows(question);
                if rest == *question { Decision::Undecided } else { self.decide(rest) }
            }
            Decision::Permitted(witness) if self.any_request => Decision::Permitted(witness),
            Decision::Permitted(witness) => Decision::Permitted(self.better(question, witness)),
            Decision::Refused => Decision::Refused,
        }
    }

    /// Searches among the resources of the role's account, then among the others.
    fn search_by_owner(&mut self, question: &Question) -> Decision {
        let mut of_owner = |owner: Owner| {
            let target = Target { owner, ..question.target };
            self.decide(Question { target, ..question.clone() })
        };
        match of_owner(Owner::Own) {
            Decision::Permitted(own) if own.is_usual() => Decision::Permitted(own),
            Decision::Permitted(own) => match of_owner(Owner::Other) {
                Decision::Permitted(other) if other.is_usual() => Decision::Permitted(other),
                _ => Decision::Permitted(own),
            },
            Decision::Undecided => match of_owner(Owner::Other) {
                Decision::Refused => Decision::Undecided,
                other => other,
            },
            Decision::Refused => of_owner(Owner::Other),
        }
    }

    /// Searches with variables as wildcards, then with the values that were found, until one of them settles the question
    /// (points 2 to 5 of the invariant).
    fn search_all(&mut self, question: &Question, wanted: &Restrictions, most_attempts: usize) -> Decision {
        // A variable that is a wildcard is not yet a matter of readings.
        let both_readings = wanted.both_readings;
        let mut restrictions = Restrictions { both_readings: false, all_variables: both_readings, ..wanted.clone() };
        let mut undecided = false;
        for attempt in 0..most_attempts {
            let (values, likely, resource) = match self.find(question, &restrictions) {
                SearchResult::Permitted(_) if both_readings => {
                    return match self.find(question, wanted) {
                        SearchResult::Permitted(witness) => Decision::Permitted(witness),
                        _ => Decision::Undecided,
                    };
                }
                SearchResult::Permitted(witness) => return Decision::Permitted(witness),
                SearchResult::Nothing if undecided => return Decision::Undecided,
                SearchResult::Nothing => return Decision::Refused,
                SearchResult::Unknown => return Decision::Undecided,
                SearchResult::Open { values, likely, resource } => (values, likely, resource),
            };
            let mut candidates = vec![values.clone()];
            if attempt == 0 {
                candidates.extend(likely);
            }
            candidates.extend(self.fitting(question, &values, &resource));
            for fixed in candidates {
                match self.find(question, &Restrictions { fixed, ..wanted.clone() }) {
                    SearchResult::Permitted(witness) => return Decision::Permitted(witness),
                    SearchResult::Nothing => {}
                    SearchResult::Open { .. } | SearchResult::Unknown => undecided = true,
                }
            }
            restrictions.excluded.push(values);
        }
        Decision::Undecided
    }

    /// The values found, each time with another value for one unknown: one with which a pattern matches the resource.
    fn fitting(&self, question: &Question, values: &FixedValues, resource: &str) -> Vec<FixedValues> {
        let statements = self.matching(question).map(|(_, statement)| statement);
        let fitting = fitting_values(self.role, &question.target, statements, values, resource, self.budget);
        let replaced = |(unknown, value): (Unknown, String)| {
            let replace = |old: &UnknownValue| {
                let value = if old.unknown == unknown { Some(value.clone()) } else { old.value.clone() };
                UnknownValue { unknown: old.unknown.clone(), value }
            };
            values.iter().map(replace).collect()
        };
        fitting.into_iter().map(replaced).collect()
    }

    /// A request that is a better proof, if there is one: with no unusual value, then on a resource of the role's account, then
    /// allowed in both readings. An earlier wish counts more than all later ones.
    fn better(&mut self, question: &Question, mut witness: Arc<Witness>) -> Arc<Witness> {
        let unusual = UNUSUAL.iter().map(Wish::Without);
        let mut granted = Restrictions::default();
        for wish in unusual.chain([Wish::OwnAccount, Wish::BothReadings, Wish::EndpointInOrganization]) {
            let mut wanted = granted.clone();
            let fulfilled = match wish {
                Wish::Without(unusual) => {
                    wanted.without.push(unusual);
                    !witness
                        .assumed
                        .iter()
                        .any(|one| matches!(one, Assumption::Context { key, .. } if *key == unusual.key))
                }
                Wish::OwnAccount => {
                    wanted.own_account = true;
                    witness.other_account.is_none()
                }
                Wish::EndpointInOrganization => {
                    wanted.endpoint_in_organization = true;
                    question.target.service == Service::EcrPublic
                        || !ties::lacks_organization_of_endpoint(&witness.context)
                }
                Wish::BothReadings => {
                    wanted.both_readings = true;
                    !witness.assumed.iter().any(|one| matches!(one, Assumption::Statement { .. }))
                }
            };
            if !fulfilled {
                // A hard decision leaves few steps for a better proof.
                self.budget.top_up(STEPS_FOR_BETTER);
                match self.search_all(question, &wanted, ATTEMPTS_FOR_BETTER) {
                    Decision::Permitted(better) if !better.grants.is_empty() => witness = better,
                    _ => continue,
                }
            }
            granted = wanted;
        }
        witness
    }

    /// Searches for an allowed request under these restrictions. Clauses without fixed values are kept for later searches.
    fn find(&mut self, question: &Question, restrictions: &Restrictions) -> SearchResult {
        let reusable = restrictions.fixed.is_empty();
        let known = self.translated.iter().position(|known| reusable && known.request.target == question.target);
        let mut clauses = match known {
            Some(place) => self.translated.swap_remove(place),
            None => {
                let (count, fixed) = (self.statements.len(), restrictions.fixed.clone());
                TargetClauses::new(self.role, count, question.target, fixed, self.budget)
            }
        };
        let result = self.find_in(&mut clauses, question, restrictions);
        if reusable {
            self.translated.push(clauses);
        }
        result
    }

    fn find_in(
        &self,
        translated: &mut TargetClauses<'r>,
        question: &Question,
        restrictions: &Restrictions,
    ) -> SearchResult {
        let mut relevant: Vec<(usize, &RoleStatement<'_>)> = Vec::new();
        for (place, statement) in self.matching(question) {
            translated.add(place, statement, statement.reading());
            let doubtful = || question.doubtful.contains(&place);
            if !restrictions.both_readings || statement.is_deny() || !doubtful() {
                relevant.push((place, statement));
            }
        }
        // The witness lists the keys of every Deny that may match, so each of them gets its slots.
        for (place, statement) in self.doubtful_denies(question) {
            translated.add(place, statement, statement.reading().other());
            if restrictions.both_readings {
                relevant.push((place, statement));
            }
        }
        let used_reading = |statement: &RoleStatement<'_>| {
            if restrictions.both_readings { statement.reading().other() } else { statement.reading() }
        };
        if restrictions.both_readings {
            for (place, statement) in &relevant {
                translated.add(*place, statement, used_reading(statement));
            }
        }
        let mut ties = translated.request.restrictions(&restrictions.excluded);
        ties.extend(ties::clauses(&mut translated.request));
        let open_in_ties = translated.request.take_open();
        let request = &translated.request;
        if restrictions.own_account || request.target.owner == Owner::Own {
            ties.extend(request.own_account().map(|own| vec![vec![own]]));
        }
        if request.target.owner == Owner::Other {
            ties.extend(request.own_account().map(|own| vec![vec![own.negated()]]));
        }
        if restrictions.endpoint_in_organization {
            ties.extend(ties::endpoint_in_organization(request));
        }
        ties.extend(restrictions.without.iter().filter_map(|unusual| Some(vec![vec![unusual.avoided(request)?]])));
        let (mut common, mut open) = (Vec::new(), open_in_ties.iter().collect::<Vec<_>>());
        let mut allows: Vec<(Layer, Vec<&[Clause]>)> = self.layers.iter().map(|layer| (*layer, Vec::new())).collect();
        for (place, statement) in relevant {
            let Some(made) = translated.get(place, used_reading(statement)) else { continue };
            open.extend(&made.open);
            let Some(clauses) = &made.clauses else { continue };
            match statement.kind() {
                StatementKind::Deny => common.extend(clauses),
                StatementKind::Allow(layer) => {
                    let of_layer = allows.iter_mut().filter(|(own, _)| *own == layer);
                    of_layer.for_each(|(_, allows)| allows.push(clauses));
                }
            }
        }
        common.extend(&ties);
        let slots = &translated.request.slots;
        if self.budget.spend(slots.len() + common.len()).is_err() {
            return SearchResult::Unknown;
        }
        let mut unknown = false;
        let found = find_choice(&allows, &mut Vec::new(), &mut |chosen| {
            let clauses: Vec<&Clause> = chosen.iter().chain(&common).copied().collect();
            match solve(slots, &clauses, self.budget) {
                Found::Values(values) => return Some(ties::with_whole_list(&translated.request, values, &clauses)),
                Found::Nothing => {}
                Found::Unknown => unknown = true,
            }
            None
        });
        let Some(values) = found else {
            return if unknown { SearchResult::Unknown } else { SearchResult::Nothing };
        };
        let of_variables = self.unknowns_of_variables(question, &translated.request, restrictions.all_variables);
        open.extend(&of_variables);
        open.sort_unstable();
        open.dedup();
        if open.is_empty() {
            return SearchResult::Permitted(Arc::new(self.witness(translated, question, &values)));
        }
        let request = &translated.request;
        let value_of =
            |unknown: &&Unknown| UnknownValue { unknown: (*unknown).clone(), value: request.value(unknown, &values) };
        let statements = self.matching(question).map(|(_, statement)| statement);
        SearchResult::Open {
            likely: likely_values(request, statements, &open, &values),
            values: open.iter().map(value_of).collect(),
            resource: request.resource_arn(&values),
        }
    }

    /// The unknowns with a slot that variables in the matching statements stand for; none if they are not wanted.
    fn unknowns_of_variables(&self, question: &Question, request: &Request<'_>, wanted: bool) -> Vec<Unknown> {
        let matching = self.matching(question).filter(|_| wanted);
        let unknown = |key: ContextKey| match self.role.knowledge(&question.target, key.lower()) {
            Knowledge::Unknown(unknown) => request.find_slot(&unknown).is_some().then_some(unknown),
            Knowledge::Absent | Knowledge::Value(_) => None,
        };
        matching.flat_map(|(_, statement)| statement.variables()).filter_map(unknown).collect()
    }

    fn witness(&self, translated: &mut TargetClauses<'r>, question: &Question, values: &Values) -> Witness {
        let mut context = BTreeMap::new();
        let mut grants = Vec::new();
        for (place, statement) in self.matching(question) {
            let made = translated.get(place, statement.reading());
            let holds = made.is_some_and(|made| made.hold(values, self.budget));
            if holds || statement.is_deny() {
                translated.request.mention(&statement.keys, values, &mut context);
            }
            if holds && !statement.is_deny() {
                grants.push(statement.grant());
            }
        }
        for (_, statement) in self.doubtful_denies(question) {
            translated.request.mention(&statement.keys, values, &mut context);
        }
        ties::complete(&translated.request, values, &mut context);
        grants.sort_unstable_by(|a, b| (a.kind.layer(), a).cmp(&(b.kind.layer(), b)));
        let assumed = if self.any_request { Vec::new() } else { self.assumptions(translated, question, values) };
        let other_account = translated.request.value(&Unknown::Account, values);
        let other_account = other_account.filter(|account| account != self.role.account());
        Witness { resource: translated.request.resource_arn(values), context, grants, other_account, assumed }
    }

    /// The unusual values of this request, and the statements for which the two readings differ about it. If several statements
    /// of a layer allow it, one for which they agree is enough.
    fn assumptions(&self, translated: &mut TargetClauses<'r>, question: &Question, values: &Values) -> Vec<Assumption> {
        let mut relevant: Vec<usize> = question.matching.iter().chain(&question.doubtful).copied().collect();
        relevant.sort_unstable();
        relevant.dedup();
        let mut assumed: Vec<&RoleStatement<'_>> = Vec::new();
        let mut certain_kinds: Vec<StatementKind> = Vec::new();
        for place in relevant {
            let Some(statement) = self.statements.get(place) else { continue };
            let made = translated.get(place, statement.reading());
            let holds = made.is_some_and(|made| made.hold(values, self.budget));
            if !statement.is_deny() && !holds {
                continue;
            }
            let doubtful = question.doubtful.contains(&place);
            let certain = (statement.is_deny() || !doubtful)
                && (statement.is_plain() && !doubtful
                    || translated.hold_when_fixed(place, statement, statement.reading().other(), values));
            if certain {
                certain_kinds.push(statement.kind());
            } else {
                assumed.push(statement);
            }
        }
        assumed.retain(|statement| statement.is_deny() || !certain_kinds.contains(&statement.kind()));
        let assumption = |statement: &RoleStatement<'_>| Assumption::Statement {
            statement: statement.grant(),
            matches: !statement.is_deny(),
        };
        let mut assumed: Vec<_> = assumed.into_iter().map(assumption).collect();
        assumed.extend(UNUSUAL.iter().filter_map(|unusual| unusual.assumption(&translated.request, values)));
        assumed.sort_unstable();
        assumed
    }
}

/// The first result of `solve` for the clauses of one Allow per layer.
fn find_choice<'c, T>(
    layers: &[(Layer, Vec<&'c [Clause]>)],
    chosen: &mut Vec<&'c Clause>,
    solve: &mut impl FnMut(&[&'c Clause]) -> Option<T>,
) -> Option<T> {
    let Some(((_, allows), rest)) = layers.split_first() else { return solve(chosen) };
    allows.iter().find_map(|allow| {
        let before = chosen.len();
        chosen.extend(*allow);
        let found = find_choice(rest, chosen, solve);
        chosen.truncate(before);
        found
    })
}

enum SearchResult {
    /// IAM would allow this request.
    Permitted(Arc<Witness>),
    /// IAM would allow a request for this resource if variables were wildcards.
    Open {
        /// The unknowns that these variables stand for, with their values in the request.
        values: FixedValues,
        /// Other combinations of values to search with.
        likely: Vec<FixedValues>,
        resource: String,
    },
    /// IAM would allow no request.
    Nothing,
    /// The budget was spent, or the solver could not decide.
    Unknown,
}
