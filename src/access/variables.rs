//! Candidate values for the unknowns that policy variables stand for.
//!
//! Knows where such values come from: the policies, other parts of the request, the resource that a search found. The
//! decider searches with them.

use super::context::{FixedValues, Knowledge, RoleContext, Target, Unknown, UnknownValue};
use super::request::Request;
use super::solver::Values;
use super::solver::slot::SlotValue;
use super::solver::values::is_possible;
use super::statements::RoleStatement;
use crate::policy::arn::Arn;
use crate::policy::budget::Budget;
use crate::policy::reading::Reading;
use crate::policy::variable::{Meaning, Token, Variable, resolve};

/// How many values are made from the resource that a search found.
const MOST_FITTING: usize = 8;

/// How many combinations of likely values are made.
const MOST_LIKELY: usize = 12;

/// Combinations of values for the open unknowns. A value comes from the slot's preferred values, from another unknown of
/// the request that was found, from a condition, or from a known key that a condition tests.
pub(super) fn likely_values<'r>(
    request: &Request<'_>,
    statements: impl Iterator<Item = &'r RoleStatement<'r>>,
    open: &[&Unknown],
    values: &Values,
) -> Vec<FixedValues> {
    let mut texts: Vec<String> = values.iter().filter_map(SlotValue::first).map(str::to_owned).collect();
    for condition in statements.flat_map(|statement| &statement.body.conditions) {
        texts.extend(condition.literals().map(str::to_owned));
        if let Knowledge::Value(value) = request.role.knowledge(&request.target, condition.key.lower()) {
            texts.push(value);
        }
    }
    texts.sort_unstable();
    texts.dedup();
    let candidates = |unknown: &Unknown| {
        let slot = request.find_slot(unknown).and_then(|slot| request.slots.get(slot));
        let preferred = slot.and_then(|slot| slot.preferred.first());
        let mut candidates: Vec<String> = preferred.into_iter().cloned().collect();
        let possible = |text: &&String| slot.is_some_and(|slot| is_possible(slot, text));
        let others: Vec<&String> = texts.iter().filter(possible).filter(|text| !candidates.contains(text)).collect();
        candidates.extend(others.into_iter().cloned());
        candidates
    };
    let by_unknown: Vec<Vec<String>> = open.iter().map(|unknown| candidates(unknown)).collect();
    let count = by_unknown.iter().map(Vec::len).max().unwrap_or_default().min(MOST_LIKELY);
    let combination = |i: usize| {
        let value = |(unknown, candidates): (&&Unknown, &Vec<String>)| UnknownValue {
            unknown: (*unknown).clone(),
            value: candidates.get(i).or(candidates.first()).cloned(),
        };
        open.iter().zip(&by_unknown).map(value).collect()
    };
    (0..count).map(combination).collect()
}

/// Values with which a resource pattern that contains a variable matches the resource that a search found. Each value
/// is for one of the open unknowns.
pub(super) fn fitting_values<'r>(
    role: &RoleContext<'_>,
    target: &Target,
    statements: impl Iterator<Item = &'r RoleStatement<'r>>,
    open: &FixedValues,
    resource: &str,
    budget: &Budget,
) -> Vec<(Unknown, String)> {
    let mut fitting = Vec::new();
    let name = Arn::parse(resource).map_or("", |arn| arn.resource);
    for pattern in statements.flat_map(|statement| &statement.body.resources.patterns) {
        // Every part of the name is matched with every pattern, so the work grows with the third power of its length.
        if fitting.len() >= MOST_FITTING || budget.spend(name.len().pow(3) / 8).is_err() {
            break;
        }
        let Some(last) = pattern.fields().pop() else { continue };
        let last = pattern.tokens_of(last);
        let unknowns: Vec<(&str, Unknown)> = last.iter().filter_map(|token| unknown_of(role, target, token)).collect();
        for UnknownValue { unknown, .. } in open {
            if !unknowns.iter().any(|(_, of_variable)| of_variable == unknown) {
                continue;
            }
            let stands_for = |variable: &Variable| {
                unknowns.iter().any(|(key, of_variable)| *key == variable.key.lower() && of_variable == unknown)
            };
            let fits = |part: &&str| {
                let meaning = |variable: &Variable| {
                    if stands_for(variable) { Meaning::Text((*part).to_owned()) } else { Meaning::Anything }
                };
                resolve(&last, Reading::Wide, &meaning).is_some_and(|glob| glob.matches(name))
            };
            let mut ends: Vec<usize> = name.char_indices().map(|(i, _)| i).collect();
            ends.push(name.len());
            let parts = ends
                .iter()
                .enumerate()
                .flat_map(|(i, start)| ends.iter().skip(i + 1).filter_map(|end| name.get(*start..*end)));
            fitting.extend(parts.filter(fits).take(MOST_FITTING).map(|part| (unknown.clone(), part.to_owned())));
        }
    }
    fitting
}

/// The key of a variable and the unknown that it stands for; `None` for other tokens and for keys with a known value.
fn unknown_of<'t>(role: &RoleContext<'_>, target: &Target, token: &'t Token) -> Option<(&'t str, Unknown)> {
    let Token::Variable(variable, _) = token else { return None };
    match role.knowledge(target, variable.key.lower()) {
        Knowledge::Unknown(unknown) => Some((variable.key.lower(), unknown)),
        Knowledge::Absent | Knowledge::Value(_) => None,
    }
}
