//! Values to try for the unknowns that policy variables stand for.
//!
//! Knows where such values come from: the policies, other unknowns of a request, a resource that was found. Whether a
//! request is left with them is the decider's to find out.

use super::context::{Knowledge, Unknown};
use super::decider::{Decider, Question};
use super::request::Request;
use super::solver::Values;
use super::solver::slot::SlotValue;
use super::solver::values::is_possible;
use crate::policy::arn::Arn;
use crate::policy::condition::Condition;
use crate::policy::reading::Reading;
use crate::policy::variable::{Meaning, Token, Variable, resolve};

/// How many values are made of a resource that was found.
const MOST_FITTING: usize = 8;

/// How many of the values that stand in the policies, or that other parts of the request have, are tried first.
const MOST_LIKELY: usize = 12;

impl Decider<'_> {
    /// Values that the open unknowns may have in common: what comes first for each, what other unknowns have in the
    /// request that was found, what the conditions list.
    pub(super) fn likely(
        &self,
        request: &Request<'_>,
        question: &Question,
        open: &[&Unknown],
        values: &Values,
    ) -> Vec<Vec<(Unknown, Option<String>)>> {
        let mut texts: Vec<String> = values.iter().filter_map(SlotValue::first).map(str::to_owned).collect();
        let conditions = self.matching(question).flat_map(|(_, statement)| &statement.body.conditions);
        texts.extend(conditions.flat_map(Condition::literals).map(str::to_owned));
        texts.sort_unstable();
        texts.dedup();
        let of = |unknown: &Unknown| {
            let slot = request.find_slot(unknown).and_then(|slot| request.slots.get(slot));
            let mut of: Vec<String> =
                slot.map(|slot| slot.preferred.iter().take(1).cloned().collect()).unwrap_or_default();
            let possible = |text: &&String| slot.is_some_and(|slot| is_possible(slot, text));
            let others: Vec<&String> = texts.iter().filter(possible).filter(|text| !of.contains(text)).collect();
            of.extend(others.into_iter().cloned());
            of
        };
        let each: Vec<Vec<String>> = open.iter().map(|unknown| of(unknown)).collect();
        let most = each.iter().map(Vec::len).max().unwrap_or_default().min(MOST_LIKELY);
        let pick = |i: usize| {
            let value =
                |(unknown, of): (&&Unknown, &Vec<String>)| ((*unknown).clone(), of.get(i).or(of.first()).cloned());
            open.iter().zip(&each).map(value).collect()
        };
        (0..most).map(pick).collect()
    }

    /// Values of unknowns with which a pattern in a statement matches a resource that was found.
    pub(super) fn fitting(
        &self,
        question: &Question,
        open: &[(Unknown, Option<String>)],
        resource: &str,
    ) -> Vec<(Unknown, String)> {
        let mut fitting = Vec::new();
        let name = Arn::parse(resource).map_or("", |arn| arn.resource);
        for pattern in self.matching(question).flat_map(|(_, statement)| &statement.body.resources.patterns) {
            // Every part of the name is held against every pattern: that has its price.
            if fitting.len() >= MOST_FITTING || self.budget.spend(name.len().pow(3) / 8).is_err() {
                break;
            }
            let Some(last) = pattern.fields().pop() else { continue };
            let last = pattern.tokens_of(last);
            for (unknown, _) in open {
                let mut ends: Vec<usize> = name.char_indices().map(|(i, _)| i).collect();
                ends.push(name.len());
                let parts = ends
                    .iter()
                    .enumerate()
                    .flat_map(|(i, start)| ends.iter().skip(i + 1).filter_map(|end| name.get(*start..*end)));
                let role = self.role;
                let stands_for = |variable: &Variable| {
                    role.knowledge(&question.target, variable.key.lower()) == Knowledge::Unknown(unknown.clone())
                };
                if !last.iter().any(|token| matches!(token, Token::Variable(variable) if stands_for(variable))) {
                    continue;
                }
                let fits = |part: &&str| {
                    let meaning = |variable: &Variable| {
                        if stands_for(variable) { Meaning::Text((*part).to_owned()) } else { Meaning::Anything }
                    };
                    resolve(&last, Reading::Wide, &meaning).is_some_and(|glob| glob.matches(name))
                };
                fitting.extend(parts.filter(fits).take(MOST_FITTING).map(|part| (unknown.clone(), part.to_owned())));
            }
        }
        fitting
    }
}
