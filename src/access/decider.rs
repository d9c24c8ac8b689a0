//! Decides: for an action, is there a request that IAM would allow the role?
//!
//! Knows how IAM puts policies together: the union of the identity-based policies, cut by the permissions
//! boundary and by every Deny. [`super::request`] makes clauses of statements, [`super::solver`] finds the
//! request.
//!
//! Source: IAM User Guide, "Policy evaluation logic".

use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalogue::{Action, ActionSet, ResourceType, Service};
use super::context::{RoleContext, Target, Unknown};
use super::decision::{Assumption, Decision, GrantKind, Refusal, Witness};
use super::request::{Request, Translated};
use super::solver::{Clause, Found, Values, solve};
use super::statements::RoleStatement;
use crate::policy::budget::Budget;

/// How many values are tried for the keys that variables stand for, before the action is left undecided.
const MOST_ATTEMPTS: usize = 24;

/// What decides about an action. Actions with the same question share one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) target: Target,
    /// The statements that match the action, by their place among the statements.
    matching: Vec<usize>,
    /// Those of which it is doubt whether they match the action.
    doubtful: Vec<usize>,
}

/// The statements as clauses for the requests of one target, each made when it is first needed.
struct Translation<'a> {
    target: Target,
    request: Request<'a>,
    /// By the place among the statements: in the reading that finds more access, and in the other one.
    clauses: Vec<[Option<Translated>; 2]>,
}

impl<'a> Translation<'a> {
    fn new(decider: &Decider<'a>, target: Target, assumed: Vec<(Unknown, Option<String>)>) -> Self {
        let mut clauses = Vec::new();
        clauses.resize_with(decider.statements.len(), || [None, None]);
        Self { target, request: Request::new(decider.role, target, assumed, decider.budget), clauses }
    }

    fn make(&mut self, index: usize, statement: &RoleStatement<'_>, other_reading: bool) -> Option<&Translated> {
        let reading = if other_reading { statement.reading().other() } else { statement.reading() };
        let made = self.clauses.get_mut(index)?.get_mut(usize::from(other_reading))?;
        if made.is_none() {
            *made = Some(self.request.translate(statement.body, &statement.keys, reading));
        }
        made.as_ref()
    }

    /// Whether the clauses hold in the other reading too, with what variables leave open as these values have it.
    fn hold_in_other_reading(
        &mut self,
        place: usize,
        statement: &RoleStatement<'_>,
        values: &Values,
        budget: &Budget,
    ) -> bool {
        let Some(made) = self.make(place, statement, true) else { return false };
        if made.open.is_empty() {
            return made.hold(values, budget);
        }
        let open = made.open.clone();
        let assumed = open.into_iter().map(|unknown| (unknown.clone(), self.request.value(&unknown, values)));
        let mut request = self.request.assuming(assumed);
        request.translate(statement.body, &statement.keys, statement.reading().other()).hold(values, budget)
    }

    fn made(&self, index: usize, other_reading: bool) -> Option<&Translated> {
        self.clauses.get(index)?.get(usize::from(other_reading))?.as_ref()
    }
}

/// What is assumed of the unknowns that variables stand for; `None` is an absent key.
#[derive(Debug, Clone, Default)]
struct Assumed {
    /// These have these values.
    values: Vec<(Unknown, Option<String>)>,
    /// None of these holds as a whole.
    excluded: Vec<Vec<(Unknown, Option<String>)>>,
    /// The resource is one of the role's own account.
    own_account: bool,
    /// Statements match in both readings if they allow, and in one if they deny.
    both_readings: bool,
}

pub(super) struct Decider<'r> {
    pub(super) role: &'r RoleContext<'r>,
    statements: &'r [RoleStatement<'r>],
    bounded: bool,
    pub(super) budget: &'r Budget,
    /// What some Allow of the identity-based policies matches.
    granted: ActionSet,
    /// Whether a statement looks at keys that only some actions' requests have.
    own_keys: bool,
    /// Whether a statement names resources.
    some_resources: bool,
    /// Decisions taken.
    decided: Vec<(Question, Decision)>,
    /// By target, with nothing assumed.
    translations: Vec<Translation<'r>>,
}

impl<'r> Decider<'r> {
    pub(super) fn new(
        role: &'r RoleContext<'r>,
        statements: &'r [RoleStatement<'r>],
        bounded: bool,
        budget: &'r Budget,
    ) -> Self {
        let grants = statements.iter().filter(|statement| statement.allows(false));
        let everything =
            |statement: &RoleStatement<'_>| statement.body.resources.patterns.iter().all(|one| one.is_everything());
        Self {
            role,
            statements,
            bounded,
            budget,
            granted: grants.fold(ActionSet::default(), |all, statement| all.union(statement.actions)),
            own_keys: statements.iter().any(RoleStatement::looks_at_keys_of_single_actions),
            some_resources: !statements.iter().all(everything),
            decided: Vec::new(),
            translations: Vec::new(),
        }
    }

    /// Forgets what it could not decide: with more of the budget it may.
    pub(super) fn reconsider(&mut self) {
        self.decided.retain(|(_, decision)| *decision != Decision::Undecided);
    }

    /// What decides about an action of the catalogue, given with its place there.
    pub(super) fn question(&self, place: usize, action: &Action) -> Question {
        // What sets single actions apart matters only where some statement looks at it.
        let target = Target {
            service: action.service,
            resource: action.resource,
            keys: Some(if self.own_keys { action.keys } else { &[] }),
            all_repositories: self.some_resources && action.full_name == "ecr:DescribeRepositories",
        };
        let places = |set: fn(&RoleStatement<'_>) -> ActionSet| {
            self.statements
                .iter()
                .enumerate()
                .filter_map(|(i, statement)| set(statement).contains(place).then_some(i))
                .collect()
        };
        Question {
            target,
            matching: places(|statement| statement.actions),
            doubtful: places(|statement| statement.doubtful),
        }
    }

    /// Decides an action of the catalogue, given with its place there.
    pub(super) fn decide_catalogued(&mut self, place: usize, action: &Action) -> Decision {
        // Most actions are granted by nothing at all.
        if self.granted.contains(place) { self.decide(self.question(place, action)) } else { Decision::Refused }
    }

    /// An action that the catalogue does not know may be requested on a resource of its service's types, on `*`, or on one
    /// of a type that is not known either, and with any key.
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
            let target = Target { service, resource, keys: None, all_repositories: false };
            match self.decide(Question { target, matching: matching.clone(), doubtful: doubtful.clone() }) {
                permitted @ Decision::Permitted(_) => return permitted,
                Decision::Undecided => best = Decision::Undecided,
                Decision::Refused => {}
            }
        }
        best
    }

    pub(super) fn matching(&self, question: &Question) -> impl Iterator<Item = (usize, &'r RoleStatement<'r>)> {
        let statements = self.statements;
        question.matching.iter().filter_map(move |place| Some((*place, statements.get(*place)?)))
    }

    /// Denies of which it is doubt whether they match the action.
    fn doubtful_denies(&self, question: &Question) -> impl Iterator<Item = (usize, &'r RoleStatement<'r>)> {
        let statements = self.statements;
        let doubtful = question.doubtful.iter().filter_map(move |place| Some((*place, statements.get(*place)?)));
        doubtful.filter(|(_, statement)| statement.denies())
    }

    fn decide(&mut self, question: Question) -> Decision {
        let exists = question.target.service == Service::Ecr || self.role.partition() == "aws";
        let granted = self.matching(&question).any(|(_, statement)| statement.allows(false));
        let within_bounds = !self.bounded || self.matching(&question).any(|(_, statement)| statement.allows(true));
        if !exists || !granted || !within_bounds {
            return Decision::Refused;
        }
        if let Some((_, decision)) = self.decided.iter().find(|(known, _)| *known == question) {
            return decision.clone();
        }
        let decision = self.search(&question);
        self.decided.push((question, decision.clone()));
        decision
    }

    /// Why an action is refused: found by leaving statements out.
    pub(super) fn refusal(&mut self, question: &Question) -> Refusal {
        let refused = |decider: &mut Self, keep: &dyn Fn(usize, &RoleStatement<'_>) -> bool| {
            let matching = decider.matching(question).filter(|(place, statement)| keep(*place, statement));
            let matching = matching.map(|(place, _)| place).collect();
            decider.decide(Question { matching, ..question.clone() }) == Decision::Refused
        };
        let bounded = std::mem::take(&mut self.bounded);
        let no_allow = refused(self, &|_, statement| statement.allows(false));
        self.bounded = bounded;
        if no_allow {
            return Refusal::NoAllow;
        }
        if refused(self, &|_, statement| !statement.denies()) {
            return Refusal::Boundary;
        }
        let mut denies: Vec<usize> =
            self.matching(question).filter(|(_, statement)| statement.denies()).map(|(place, _)| place).collect();
        for deny in denies.clone() {
            if refused(self, &|place, statement| place != deny && (!statement.denies() || denies.contains(&place))) {
                denies.retain(|place| *place != deny);
            }
        }
        let mut grants: Vec<_> =
            denies.iter().filter_map(|place| self.statements.get(*place)).map(RoleStatement::grant).collect();
        grants.sort_unstable();
        Refusal::Denied(grants)
    }

    /// The question without the Allows of which a single Deny obviously leaves nothing.
    fn without_undone(&self, question: &Question) -> Question {
        let denies: Vec<&RoleStatement<'_>> =
            self.matching(question).map(|(_, statement)| statement).filter(|statement| statement.denies()).collect();
        let undone = |statement: &RoleStatement<'_>| {
            let undone = |deny: &&RoleStatement<'_>| self.budget.spend(1).is_ok() && statement.is_undone_by(deny);
            !statement.denies() && denies.iter().any(undone)
        };
        let matching =
            self.matching(question).filter(|(_, statement)| !undone(statement)).map(|(place, _)| place).collect();
        Question { matching, ..question.clone() }
    }

    fn search(&mut self, question: &Question) -> Decision {
        match self.search_all(question) {
            Decision::Undecided => {
                let rest = self.without_undone(question);
                if rest == *question { Decision::Undecided } else { self.decide(rest) }
            }
            decided => decided,
        }
    }

    fn search_all(&mut self, question: &Question) -> Decision {
        // Variables may stand for keys whose values are unknown. These are read as anything first, which finds too
        // much; whether a request is left when they have the values of the very request found is asked then, and if
        // not, these values are shut out and the next ones are tried.
        let mut assumed = Assumed::default();
        let mut undecided = false;
        for attempt in 0..MOST_ATTEMPTS {
            let (values, likely, resource) = match self.search_with(question, &assumed) {
                Searched::Permitted(witness) => return self.better(question, &assumed, witness),
                Searched::Nothing if undecided => return Decision::Undecided,
                Searched::Nothing => return Decision::Refused,
                Searched::Unknown => return Decision::Undecided,
                Searched::Open { values, likely, resource } => (values, likely, resource),
            };
            let mut attempts = vec![values.clone()];
            if attempt == 0 {
                attempts.extend(likely);
            }
            attempts.extend(self.fitting(question, &values, &resource).into_iter().map(|(unknown, value)| {
                let other = |(known, old): &(Unknown, Option<String>)| {
                    (known.clone(), if *known == unknown { Some(value.clone()) } else { old.clone() })
                };
                values.iter().map(other).collect()
            }));
            for values in attempts {
                let assumed = Assumed { values, ..Assumed::default() };
                match self.search_with(question, &assumed) {
                    Searched::Permitted(witness) => return self.better(question, &assumed, witness),
                    Searched::Nothing => {}
                    Searched::Open { .. } | Searched::Unknown => undecided = true,
                }
            }
            assumed.excluded.push(values);
        }
        Decision::Undecided
    }

    /// The same decision, with a request that proves more if there is one: on a repository of the role's own account,
    /// and allowed in both readings.
    fn better(&mut self, question: &Question, assumed: &Assumed, witness: Arc<Witness>) -> Decision {
        let (own, certain) = (witness.other_account.is_none(), witness.assumed.is_empty());
        for (own_account, both_readings) in [(true, true), (true, false), (false, true)] {
            if own >= own_account && certain >= both_readings {
                break;
            }
            let wished = Assumed { own_account, both_readings, ..assumed.clone() };
            match self.search_with(question, &wished) {
                Searched::Permitted(better) if !better.grants.is_empty() => return Decision::Permitted(better),
                _ => {}
            }
        }
        Decision::Permitted(witness)
    }

    /// Searches for a request that an Allow of the identity-based policies and, where there is one, of the
    /// boundary match and that escapes every Deny.
    fn search_with(&mut self, question: &Question, assumed: &Assumed) -> Searched {
        let kept = assumed.values.is_empty();
        let known = self.translations.iter().position(|known| kept && known.target == question.target);
        let mut translation = match known {
            Some(place) => self.translations.swap_remove(place),
            None => Translation::new(self, question.target, assumed.values.clone()),
        };
        let searched = self.search_in(&mut translation, question, assumed);
        if kept {
            self.translations.push(translation);
        }
        searched
    }

    fn search_in(&self, translation: &mut Translation<'r>, question: &Question, assumed: &Assumed) -> Searched {
        let mut bearing: Vec<(usize, &RoleStatement<'_>)> = Vec::new();
        for (place, statement) in self.matching(question) {
            translation.make(place, statement, false);
            let doubtful = || question.doubtful.contains(&place);
            if !assumed.both_readings || statement.denies() || !doubtful() {
                bearing.push((place, statement));
            }
        }
        // What may deny is a part of the finding: it has to say what the request has for the keys that this names.
        for (place, statement) in self.doubtful_denies(question) {
            translation.make(place, statement, true);
            if assumed.both_readings {
                bearing.push((place, statement));
            }
        }
        if assumed.both_readings {
            for (place, statement) in &bearing {
                translation.make(*place, statement, true);
            }
        }
        let mut ties = translation.request.ties(&assumed.excluded);
        if assumed.own_account {
            ties.extend(translation.request.own_account());
        }
        let (mut common, mut grants, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
        let mut open = Vec::new();
        for (place, statement) in bearing {
            let Some(made) = translation.made(place, assumed.both_readings) else { continue };
            open.extend(&made.open);
            match &made.clauses {
                Some(clauses) if statement.denies() => common.extend(clauses),
                Some(clauses) if statement.allows(true) => bounds.push(clauses.as_slice()),
                Some(clauses) => grants.push(clauses.as_slice()),
                None => {}
            }
        }
        common.extend(&ties);
        if !self.bounded {
            bounds = vec![&[]];
        }
        let slots = &translation.request.slots;
        if self.budget.spend(slots.len() + common.len()).is_err() {
            return Searched::Unknown;
        }
        let mut unknown = false;
        let pairs = grants.iter().flat_map(|grant| bounds.iter().map(move |bound| (grant, bound)));
        let found = pairs.into_iter().find_map(|(grant, bound)| {
            let clauses: Vec<&Clause> = grant.iter().chain(*bound).chain(common.iter().copied()).collect();
            match solve(slots, &clauses, self.budget) {
                Found::Values(values) => return Some(values),
                Found::Nothing => {}
                Found::Unknown => unknown = true,
            }
            None
        });
        let Some(values) = found else { return if unknown { Searched::Unknown } else { Searched::Nothing } };
        open.sort_unstable();
        open.dedup();
        if open.is_empty() {
            return Searched::Permitted(Arc::new(self.witness(translation, question, &values)));
        }
        let values_of = |unknown: &&Unknown| ((*unknown).clone(), translation.request.value(unknown, &values));
        Searched::Open {
            likely: self.likely(&translation.request, question, &open, &values),
            values: open.iter().map(values_of).collect(),
            resource: translation.request.resource_arn(&values),
        }
    }

    fn witness(&self, translation: &mut Translation<'r>, question: &Question, values: &Values) -> Witness {
        let mut context = BTreeMap::new();
        let mut grants = Vec::new();
        for (place, statement) in self.matching(question) {
            let holds = translation.made(place, false).is_some_and(|made| made.hold(values, self.budget));
            if holds || statement.denies() {
                translation.request.mention(&statement.keys, values, &mut context);
            }
            if holds && !statement.denies() {
                grants.push(statement.grant());
            }
        }
        for (_, statement) in self.doubtful_denies(question) {
            translation.request.mention(&statement.keys, values, &mut context);
        }
        grants.sort_unstable_by(|a, b| (a.kind == GrantKind::Boundary, a).cmp(&(b.kind == GrantKind::Boundary, b)));
        let assumed = self.assumptions(translation, question, values);
        let other_account = translation.request.value(&Unknown::Account, values);
        let other_account = other_account.filter(|account| account != self.role.account());
        Witness { resource: translation.request.resource_arn(values), context, grants, other_account, assumed }
    }

    /// Which statements the other reading sees differently, of this request. Where several allow it, one that both
    /// readings see alike is enough.
    fn assumptions(&self, translation: &mut Translation<'r>, question: &Question, values: &Values) -> Vec<Assumption> {
        let mut bearing: Vec<usize> = question.matching.iter().chain(&question.doubtful).copied().collect();
        bearing.sort_unstable();
        bearing.dedup();
        let mut assumed: Vec<&RoleStatement<'_>> = Vec::new();
        let (mut granted, mut within_bounds) = (false, false);
        for place in bearing {
            let Some(statement) = self.statements.get(place) else { continue };
            let holds = translation.made(place, false).is_some_and(|made| made.hold(values, self.budget));
            if !statement.denies() && !holds {
                continue;
            }
            let doubtful = question.doubtful.contains(&place);
            let certain = (statement.denies() || !doubtful)
                && (statement.is_plain() && !doubtful
                    || translation.hold_in_other_reading(place, statement, values, self.budget));
            if certain {
                granted |= statement.allows(false);
                within_bounds |= statement.allows(true);
            } else {
                assumed.push(statement);
            }
        }
        assumed.retain(|statement| !(granted && statement.allows(false) || within_bounds && statement.allows(true)));
        let assumption =
            |statement: &RoleStatement<'_>| Assumption { statement: statement.grant(), matches: !statement.denies() };
        let mut assumed: Vec<_> = assumed.into_iter().map(assumption).collect();
        assumed.sort_unstable();
        assumed
    }
}

enum Searched {
    /// This request is allowed.
    Permitted(Arc<Witness>),
    /// So would be one on this resource, if variables that stand for these unknowns, which have these values in it,
    /// stood for whatever the statements want.
    Open { values: Vec<(Unknown, Option<String>)>, likely: Vec<Vec<(Unknown, Option<String>)>>, resource: String },
    /// No request is.
    Nothing,
    /// It is not known whether one is.
    Unknown,
}
