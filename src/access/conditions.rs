//! Conditions as literals over the slots of a request.
//!
//! Knows how a condition is read if its key is absent, known or unknown. Knows nothing of effects and resources.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Condition", "Single-valued vs. multivalued context keys".

use std::cell::RefCell;
use std::sync::Arc;

use super::context::{Knowledge, Unknown};
use super::request::{Request, equals};
use super::solver::Literal;
use crate::policy::comparison::{Comparison, Texts};
use crate::policy::condition::Condition;
use crate::policy::glob::Glob;
use crate::policy::operator::Quantifier;
use crate::policy::reading::Reading;
use crate::policy::requirement::{IfPresent, Requirement};
use crate::policy::variable::{Meaning, Variable};

/// The longest known value that is split into all its parts, in bytes: enough for names and accounts, not for paths.
const LONGEST_SPLIT: usize = 48;

/// What a condition requires of the unknown keys of a request.
pub(super) enum ConditionTerm {
    /// Nothing: it holds, or does not hold, in every request for the target.
    Settled(bool),
    /// All of these literals.
    All(Vec<Literal>),
    /// One of these literals.
    Any(Vec<Literal>),
}

/// What the condition requires, in the given reading.
pub(super) fn condition_term(request: &mut Request<'_>, condition: &Condition, reading: Reading) -> ConditionTerm {
    let key = condition.key.lower();
    let knowledge = request.role.knowledge(&request.target, key);
    if let Knowledge::Value(value) = &knowledge
        && let Some(literal) = literal_of_variable(request, condition, reading, value)
    {
        return ConditionTerm::All(vec![literal]);
    }
    let requirement = {
        let meaning = |variable: &Variable| {
            if stands_for_the_key_itself(request, variable, key, &knowledge) {
                Meaning::Itself
            } else {
                request.meaning(variable)
            }
        };
        condition.requirement(reading, &meaning)
    };
    // An operator that IAM does not document: the wide reading assumes that it holds, the narrow one that it does not.
    let Some(requirement) = requirement else { return ConditionTerm::Settled(reading == Reading::Wide) };
    match knowledge {
        Knowledge::Absent => ConditionTerm::Settled(requirement.holds(None, request.budget)),
        Knowledge::Value(value) => {
            ConditionTerm::Settled(holds_for_known(request, condition, &requirement, reading, &value))
        }
        Knowledge::Unknown(unknown) => term_for_unknown(request, condition, requirement, reading, &unknown),
    }
}

/// Whether the variable has the very value that the condition compares.
fn stands_for_the_key_itself(request: &Request<'_>, variable: &Variable, key: &str, knowledge: &Knowledge) -> bool {
    let Knowledge::Unknown(unknown) = knowledge else { return false };
    let other = request.role.knowledge(&request.target, variable.key.lower());
    // `aws:CurrentTime` and `aws:EpochTime` are the same instant in two spellings.
    let same_spelling = !unknown.is_instant() || variable.key.lower() == key;
    other == *knowledge && !unknown.is_multivalued() && same_spelling
}

fn holds_for_known(
    request: &Request<'_>,
    condition: &Condition,
    requirement: &Requirement,
    reading: Reading,
    value: &String,
) -> bool {
    let known = Some(std::slice::from_ref(value));
    let arns_only = condition.holds_for_arns_only(reading);
    let accepted = !arns_only || requirement.arns_only().holds(known, request.budget);
    let holds = accepted && requirement.holds(known, request.budget);
    if !value.is_empty() || !requirement.uses_set_operator() {
        return holds;
    }
    // For a set operator an empty value may count as a missing key; AWS documents both.
    let missing = requirement.holds(None, request.budget);
    if reading == Reading::Wide { holds || missing } else { holds && missing }
}

fn term_for_unknown(
    request: &mut Request<'_>,
    condition: &Condition,
    mut requirement: Requirement,
    reading: Reading,
    unknown: &Unknown,
) -> ConditionTerm {
    let slot = request.slot_of(unknown);
    let multivalued = unknown.is_multivalued();
    // For a set operator an empty value may count as a missing key; AWS documents both.
    let empty_may_be_missing = requirement.uses_set_operator() && !multivalued;
    let if_missing = requirement.if_absent;
    if let IfPresent::Values { comparison, quantifier, positive: _ } = &mut requirement.if_present {
        // Slots keep instants as seconds. Operators that do not compare instants see the date that a request carries.
        let compares_instants = matches!(&**comparison, Comparison::Instants(..));
        if unknown.is_instant() && !compares_instants && condition.key.lower() != "aws:epochtime" {
            *comparison = Arc::new(Comparison::AsDate(Arc::clone(comparison)));
        }
        if multivalued && *quantifier == Quantifier::Value {
            // AWS does not document how an operator without a set prefix compares several values. Probably it is false,
            // and a negated one is true.
            *quantifier = match (reading, condition.is_negated()) {
                (Reading::Narrow, _) => Quantifier::Value,
                (Reading::Wide, false) => Quantifier::Any,
                (Reading::Wide, true) => Quantifier::ValueOrSeveral,
            };
        }
    }
    let arns = condition.holds_for_arns_only(reading).then(|| requirement.arns_only());
    let mut literals = vec![Literal::new(slot, requirement)];
    let empty = || equals(slot, "", Quantifier::Value);
    if reading == Reading::Wide && if_missing && empty_may_be_missing {
        literals.push(empty());
        return ConditionTerm::Any(literals);
    }
    if reading == Reading::Narrow && !if_missing && empty_may_be_missing {
        literals.push(empty().negated());
    }
    literals.extend(arns.map(|arns| Literal::new(slot, arns)));
    if condition.key.lower() == "aws:calledvia" { with_ends(request, literals) } else { ConditionTerm::All(literals) }
}

/// What a condition on `aws:CalledVia` requires. The slot has the services between the ends of the list, and the ends have
/// slots too: their own keys.
fn with_ends(request: &mut Request<'_>, literals: Vec<Literal>) -> ConditionTerm {
    let ends = ["aws:calledviafirst", "aws:calledvialast"].map(|end| request.slot_of(&Unknown::Key(end.to_owned())));
    let everywhere = |literal: Literal| {
        let at_ends = ends.map(|slot| Literal::new(slot, literal.requirement.clone()));
        std::iter::once(literal).chain(at_ends)
    };
    let wants_any = |literal: &Literal| {
        let any = [Quantifier::Any, Quantifier::ValueOrSeveral];
        matches!(&literal.requirement.if_present, IfPresent::Values { quantifier, .. } if any.contains(quantifier))
    };
    let any = literals.iter().any(wants_any);
    // A service is no ARN, so the narrow reading of a negated ARN operator does not hold.
    if any && literals.len() > 1 {
        return ConditionTerm::Settled(false);
    }
    let literals = literals.into_iter().flat_map(everywhere).collect();
    if any { ConditionTerm::Any(literals) } else { ConditionTerm::All(literals) }
}

/// What a condition on a known key requires of an unknown that a variable in the condition stands for. `None` where that
/// cannot be expressed as one literal.
///
/// INVARIANT: the condition compares the known value with patterns that contain the variable's value. If that value is
/// not a part of the known one, no such pattern matches, so all these values have the same result: that of the known
/// value with a character added. The parts of the known value are tried one by one, and those with another result are
/// listed. So the literal holds for exactly those values for which the condition holds.
fn literal_of_variable(
    request: &mut Request<'_>,
    condition: &Condition,
    reading: Reading,
    known: &str,
) -> Option<Literal> {
    let open = condition.variables().find_map(|key| {
        let Knowledge::Unknown(unknown) = request.role.knowledge(&request.target, key.lower()) else {
            return None;
        };
        (!unknown.is_multivalued() && !unknown.is_instant()).then_some(unknown)
    })?;
    let holds = |of_open: &Meaning| -> Option<bool> {
        let another_is_open = RefCell::new(false);
        let meaning = |variable: &Variable| match request.role.knowledge(&request.target, variable.key.lower()) {
            Knowledge::Absent => Meaning::Absent,
            Knowledge::Value(value) => Meaning::Text(value),
            Knowledge::Unknown(unknown) if unknown == open => of_open.clone(),
            Knowledge::Unknown(_) => {
                another_is_open.replace(true);
                Meaning::Anything
            }
        };
        let requirement = condition.requirement(reading, &meaning)?;
        (!another_is_open.into_inner()).then(|| requirement.holds(Some(&[known.to_owned()]), request.budget))
    };
    if known.len() > LONGEST_SPLIT {
        return None;
    }
    let ends: Vec<usize> = known.char_indices().map(|(i, _)| i).chain([known.len()]).collect();
    request.budget.spend(ends.len() * ends.len() / 2 * condition.values().len()).ok()?;
    let absent = holds(&Meaning::Absent)?;
    let elsewhere = holds(&Meaning::Text(format!("{known}\u{0}")))?;
    let mut globs = Vec::new();
    for (i, start) in ends.iter().enumerate() {
        for end in ends.iter().skip(i) {
            let part = known.get(*start..*end)?;
            if holds(&Meaning::Text(part.to_owned()))? != elsewhere {
                globs.push(Glob::literal(part));
            }
        }
    }
    let comparison = Arc::new(Comparison::Text(Texts::with_rules(globs, condition.text_rules(reading))));
    let if_present = IfPresent::Values { quantifier: Quantifier::Value, comparison, positive: !elsewhere };
    Some(Literal::new(request.slot_of(&open), Requirement { if_absent: absent, if_present }))
}
