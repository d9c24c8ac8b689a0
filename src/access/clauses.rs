//! Statements as clauses over the slots of a request.
//!
//! Knows how a statement's conditions and resources combine: when an Allow matches, and how a request escapes a Deny.
//! Knows nothing of other statements.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Resource", "… NotResource", "… Condition".

use super::catalogue::Service;
use super::conditions::{ConditionTerm, condition_term};
use super::context::{FixedValues, RoleContext, Target, Unknown, UnknownValue};
use super::request::Request;
use super::resources::{resource_cubes, unresolved_cubes};
use super::solver::{Clause, Literal, Values, holds};
use super::statements::RoleStatement;
use crate::policy::budget::Budget;
use crate::policy::reading::Reading;
use crate::policy::{Effect, Statement};

/// The clauses of one statement in one reading.
pub(super) struct StatementClauses {
    /// All of them hold if an Allow matches, or if a Deny does not match. `None` for an Allow that matches no request for
    /// the target.
    pub(super) clauses: Option<Vec<Clause>>,
    /// The open unknowns that variables in the statement stand for.
    pub(super) open: Vec<Unknown>,
}

impl StatementClauses {
    /// Whether all clauses hold for these values.
    pub(super) fn hold(&self, values: &Values, budget: &Budget) -> bool {
        self.clauses.as_ref().is_some_and(|clauses| clauses.iter().all(|clause| holds(clause, values, budget)))
    }
}

/// The clauses of a role's statements for the requests for one target. Each statement is translated when it is first
/// needed.
pub(super) struct TargetClauses<'a> {
    pub(super) request: Request<'a>,
    /// By the statement's place, for the wide and for the narrow reading.
    clauses: Vec<[Option<StatementClauses>; 2]>,
}

impl<'a> TargetClauses<'a> {
    pub(super) fn new(
        role: &'a RoleContext<'a>,
        statement_count: usize,
        target: Target,
        fixed: FixedValues,
        budget: &'a Budget,
    ) -> Self {
        let mut clauses = Vec::new();
        clauses.resize_with(statement_count, || [None, None]);
        Self { request: Request::new(role, target, fixed, budget), clauses }
    }

    /// Translates a statement, if that is not done yet.
    pub(super) fn add(
        &mut self,
        place: usize,
        statement: &RoleStatement<'_>,
        reading: Reading,
    ) -> Option<&StatementClauses> {
        let clauses = self.clauses.get_mut(place)?.get_mut(index(reading))?;
        if clauses.is_none() {
            *clauses = Some(translate(&mut self.request, statement, reading));
        }
        clauses.as_ref()
    }

    /// The clauses of a statement that was added.
    pub(super) fn get(&self, place: usize, reading: Reading) -> Option<&StatementClauses> {
        self.clauses.get(place)?.get(index(reading))?.as_ref()
    }

    /// Whether the statement's clauses hold for these values. The unknowns that its variables stand for are fixed to the
    /// values first.
    pub(super) fn hold_when_fixed(
        &mut self,
        place: usize,
        statement: &RoleStatement<'_>,
        reading: Reading,
        values: &Values,
    ) -> bool {
        let budget = self.request.budget;
        let Some(clauses) = self.add(place, statement, reading) else { return false };
        if clauses.open.is_empty() {
            return clauses.hold(values, budget);
        }
        let open = clauses.open.clone();
        let fixed = open.into_iter().map(|unknown| {
            let value = self.request.value(&unknown, values);
            UnknownValue { unknown, value }
        });
        let mut request = self.request.with_fixed(fixed);
        translate(&mut request, statement, reading).hold(values, budget)
    }
}

fn index(reading: Reading) -> usize {
    match reading {
        Reading::Wide => 0,
        Reading::Narrow => 1,
    }
}

fn translate(request: &mut Request<'_>, statement: &RoleStatement<'_>, reading: Reading) -> StatementClauses {
    request.add_keys(&statement.keys);
    request.take_open();
    let mut clauses = clauses_of(request, statement.body, reading);
    if request.target.service == Service::EcrPublic && statement.names_key_from("ecr:resourcetag/") {
        request.target.ecr_tags = false;
        let without_tags = clauses_of(request, statement.body, reading);
        request.target.ecr_tags = true;
        // An Allow that is read wide matches if one of the two does. A Deny that is read narrow does not match if one of the
        // two does not.
        clauses =
            if reading == statement.reading() { either(clauses, without_tags) } else { both(clauses, without_tags) };
    }
    StatementClauses { clauses, open: request.take_open() }
}

fn clauses_of(request: &mut Request<'_>, statement: &Statement, reading: Reading) -> Option<Vec<Clause>> {
    match statement.effect {
        Effect::Allow => match_clauses(request, statement, reading),
        Effect::Deny => Some(escape_clauses(request, statement, reading)),
    }
}

/// Clauses that hold if all of one list or all of the other do.
fn either(one: Option<Vec<Clause>>, other: Option<Vec<Clause>>) -> Option<Vec<Clause>> {
    let (Some(one), Some(other)) = (&one, &other) else { return one.or(other) };
    let pairs = one.iter().flat_map(|first| other.iter().map(move |second| (first, second)));
    Some(pairs.map(|(first, second)| first.iter().chain(second).cloned().collect()).collect())
}

/// Clauses that hold if all of both lists do.
fn both(one: Option<Vec<Clause>>, other: Option<Vec<Clause>>) -> Option<Vec<Clause>> {
    Some(one?.into_iter().chain(other?).collect())
}

/// The clauses under which a statement matches; `None` if it matches no request for the target.
fn match_clauses(request: &mut Request<'_>, statement: &Statement, reading: Reading) -> Option<Vec<Clause>> {
    let mut clauses = Vec::new();
    for condition in &statement.conditions {
        match condition_term(request, condition, reading) {
            ConditionTerm::Settled(true) => {}
            ConditionTerm::Settled(false) => return None,
            ConditionTerm::All(literals) => clauses.extend(literals.into_iter().map(|literal| vec![vec![literal]])),
            ConditionTerm::Any(literals) => clauses.push(literals.into_iter().map(|literal| vec![literal]).collect()),
        }
    }
    let patterns = &statement.resources.patterns;
    if statement.resources.negated {
        let mut excluded = resource_cubes(request, patterns, reading.other());
        if reading == Reading::Narrow {
            excluded.extend(unresolved_cubes(request, patterns));
        }
        for cube in excluded {
            clauses.push(cube.into_iter().map(|literal| vec![literal.negated()]).collect());
        }
    } else {
        clauses.push(resource_cubes(request, patterns, reading));
    }
    // A cube without literals holds in every request, a clause without cubes in none.
    clauses.retain(|clause| !clause.iter().any(Vec::is_empty));
    if clauses.iter().any(Vec::is_empty) { None } else { Some(clauses) }
}

/// The clauses under which a statement does not match. A request escapes the statement by any of its conditions, or by
/// its resource: each pattern has to miss it, so there is one clause for each cube of the patterns, and every clause
/// also offers the conditions.
fn escape_clauses(request: &mut Request<'_>, statement: &Statement, reading: Reading) -> Vec<Clause> {
    let mut by_condition: Clause = Vec::new();
    for condition in &statement.conditions {
        match condition_term(request, condition, reading) {
            ConditionTerm::Settled(true) => {}
            ConditionTerm::Settled(false) => return Vec::new(),
            ConditionTerm::All(literals) => {
                by_condition.extend(literals.into_iter().map(|literal| vec![literal.negated()]));
            }
            ConditionTerm::Any(literals) => {
                by_condition.push(literals.into_iter().map(Literal::negated).collect());
            }
        }
    }
    let patterns = &statement.resources.patterns;
    if statement.resources.negated {
        // `NotResource: []` would deny everything. AWS does not document it, so the narrow reading denies nothing.
        if patterns.is_empty() && reading == Reading::Narrow {
            return Vec::new();
        }
        let mut ways = by_condition;
        ways.extend(resource_cubes(request, patterns, reading.other()));
        if reading == Reading::Narrow {
            ways.extend(unresolved_cubes(request, patterns));
        }
        return if ways.iter().any(Vec::is_empty) { Vec::new() } else { vec![ways] };
    }
    let missed = resource_cubes(request, patterns, reading).into_iter();
    missed
        .map(|cube| {
            let by_resource = cube.into_iter().map(|literal| vec![literal.negated()]);
            by_condition.iter().cloned().chain(by_resource).collect()
        })
        .collect()
}
