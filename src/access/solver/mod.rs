//! Is there a request that satisfies all of some clauses? The search over the unknowns of a request.
//!
//! An unknown ([`Slot`]) is a part of the resource's ARN or a context key: absent, or one value, or several.
//! A [`Clause`] is a choice between cubes, a cube is a conjunction of [`Literal`]s, and a literal asks something
//! of a single slot. The search keeps values that satisfy all literals taken on so far and branches only on
//! clauses that these values fail. It is complete: it ends with values, with the certainty that there are none,
//! or over the budget.
//!
//! Knows nothing of policies' effects, of ECR or of roles.

use std::sync::Arc;

pub(in crate::access) mod slot;
pub(in crate::access) mod universe;
pub(in crate::access) mod values;

use self::slot::{Kind, Slot, SlotValue};
use self::values::{Undecidable, value_of};
use crate::policy::budget::Budget;
use crate::policy::comparison::{Comparison, Order};
use crate::policy::operator::Quantifier;
use crate::policy::requirement::{IfPresent, Requirement};

/// What is asked of one slot.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::access) struct Literal {
    pub(in crate::access) slot: usize,
    pub(in crate::access) requirement: Requirement,
}

impl Literal {
    pub(in crate::access) fn new(slot: usize, requirement: Requirement) -> Self {
        Self { slot, requirement }
    }

    pub(in crate::access) fn negated(self) -> Self {
        Self { slot: self.slot, requirement: self.requirement.negated() }
    }

    fn holds(&self, values: &Values, budget: &Budget) -> bool {
        self.requirement.holds(values.get(self.slot).and_then(SlotValue::values), budget)
    }
}

/// Literals that hold together.
pub(in crate::access) type Cube = Vec<Literal>;

/// Cubes of which one has to hold.
pub(in crate::access) type Clause = Vec<Cube>;

/// The value of each slot, by its number.
pub(in crate::access) type Values = Vec<SlotValue>;

/// What the search found.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::access) enum Found {
    /// Values that satisfy every clause.
    Values(Values),
    /// There are none.
    Nothing,
    /// The budget was spent, or the literals on a slot are of kinds that cannot be decided together.
    Unknown,
}

/// Whether one of the clause's cubes holds.
pub(in crate::access) fn holds(clause: &Clause, values: &Values, budget: &Budget) -> bool {
    clause.iter().any(|cube| cube.iter().all(|literal| literal.holds(values, budget)))
}

/// Searches for values of the slots that satisfy all clauses.
pub(in crate::access) fn solve(slots: &[Slot], clauses: &[&Clause], budget: &Budget) -> Found {
    let mut search = Search {
        slots,
        clauses,
        budget,
        taken: vec![Vec::new(); slots.len()],
        values: vec![SlotValue::Absent; slots.len()],
        trail: Vec::new(),
    };
    let all: Vec<usize> = (0..slots.len()).collect();
    match search.assign(&all) {
        Settled::Yes => search.run(),
        Settled::No => Found::Nothing,
        Settled::Unknown => Found::Unknown,
    }
}

struct Search<'s> {
    slots: &'s [Slot],
    clauses: &'s [&'s Clause],
    budget: &'s Budget,
    /// The requirements taken on, by slot.
    taken: Vec<Vec<Requirement>>,
    /// Values that satisfy them.
    values: Values,
    /// What was done to the two above, to be undone.
    trail: Vec<Change>,
}

enum Change {
    /// A requirement was taken on for this slot.
    Taken(usize),
    /// This slot had this value.
    Value(usize, SlotValue),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    Yes,
    No,
    Unknown,
}

impl Search<'_> {
    fn run(&mut self) -> Found {
        if self.budget.spend(1 + self.clauses.len()).is_err() {
            return Found::Unknown;
        }
        let failed = self.clauses.iter().filter(|clause| !holds(clause, &self.values, self.budget));
        let Some(clause) = failed.min_by_key(|clause| clause.len()) else { return Found::Values(self.values.clone()) };
        let start = self.trail.len();
        let mut unknown = false;
        for cube in clause.iter() {
            let here = self.trail.len();
            match self.take(cube) {
                Settled::Yes => match self.run() {
                    Found::Nothing => {}
                    Found::Unknown => unknown = true,
                    found @ Found::Values(_) => return found,
                },
                Settled::No => {}
                Settled::Unknown => unknown = true,
            }
            self.back_to(here);
            if self.budget.spend(1).is_err() {
                unknown = true;
                break;
            }
            // The cubes tried before hold nowhere in what is left: their negations stay, where they are literals.
            if let [only] = cube.as_slice() {
                self.take_on(only.slot, only.requirement.clone().negated());
            }
        }
        self.back_to(start);
        if unknown { Found::Unknown } else { Found::Nothing }
    }

    fn take(&mut self, cube: &Cube) -> Settled {
        for literal in cube {
            self.take_on(literal.slot, literal.requirement.clone());
        }
        let mut touched: Vec<usize> = cube.iter().map(|literal| literal.slot).collect();
        touched.sort_unstable();
        touched.dedup();
        self.assign(&touched)
    }

    fn take_on(&mut self, slot: usize, requirement: Requirement) {
        if let Some(taken) = self.taken.get_mut(slot) {
            taken.push(requirement);
            self.trail.push(Change::Taken(slot));
        }
    }

    fn back_to(&mut self, length: usize) {
        while self.trail.len() > length
            && let Some(change) = self.trail.pop()
        {
            match change {
                Change::Taken(slot) => {
                    self.taken.get_mut(slot).map(Vec::pop);
                }
                Change::Value(slot, old) => {
                    if let Some(value) = self.values.get_mut(slot) {
                        *value = old;
                    }
                }
            }
        }
    }

    /// Finds new values for the slots given.
    fn assign(&mut self, touched: &[usize]) -> Settled {
        for &index in touched {
            match self.settle(index, None) {
                Settled::Yes => {}
                other => return other,
            }
        }
        // An instant that is not to be after another: it takes the earliest value that it may have, and where the
        // other one is earlier still, that has to move.
        for (index, slot) in self.slots.iter().enumerate() {
            let Kind::InstantUntil(limit) = slot.kind else { continue };
            if let (Some(value), Some(latest)) = (self.seconds(index), self.seconds(limit))
                && value > latest
            {
                match self.settle(limit, Some(value)) {
                    Settled::Yes => {}
                    other => return other,
                }
            }
        }
        Settled::Yes
    }

    fn seconds(&self, slot: usize) -> Option<f64> {
        self.values.get(slot)?.first()?.parse().ok()
    }

    /// Finds a value for one slot, for an instant not before `from`.
    fn settle(&mut self, index: usize, from: Option<f64>) -> Settled {
        let (Some(slot), Some(taken)) = (self.slots.get(index), self.taken.get(index)) else { return Settled::No };
        let mut requirements: Vec<&Requirement> = taken.iter().collect();
        let late;
        if let Some(from) = from {
            let comparison = Comparison::Number {
                order: Order::GreaterOrEqual,
                numbers: vec![from],
                instants: true,
                matches_unreadable: false,
            };
            let if_present =
                IfPresent::Values { quantifier: Quantifier::Value, comparison: Arc::new(comparison), positive: true };
            late = Requirement { if_absent: true, if_present };
            requirements.push(&late);
        }
        match value_of(slot, &requirements, self.budget) {
            Ok(Some(found)) => {
                if let Some(value) = self.values.get_mut(index) {
                    let old = std::mem::replace(value, found);
                    self.trail.push(Change::Value(index, old));
                }
                Settled::Yes
            }
            Ok(None) => Settled::No,
            Err(Undecidable) => Settled::Unknown,
        }
    }
}
