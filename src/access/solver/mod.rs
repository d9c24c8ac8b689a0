//! Searches for values of the unknowns of a request that satisfy all of some clauses.
//!
//! An unknown has a [`Slot`]: a part of the resource's ARN, or a context key. It is absent, or has one value or several.
//! A [`Clause`] holds if one of its cubes holds, a cube holds if all its [`Literal`]s hold, and a literal is a
//! requirement on one slot. The search is complete: it ends with values, with the proof that there are none, or with an
//! open answer because the budget is spent or a slot cannot be decided.
//!
//! Worst case: exponential in the number of clauses. In practice few clauses need a branch.
//!
//! Knows nothing of Allow and Deny, of ECR or of roles.

// INVARIANT: `Found::Nothing` is a proof.
//
// `taken` holds requirements, and `values` satisfies those of each slot on which the search has settled. A literal is
// about one slot, so the slots can be settled one by one; the one exception, two instants of which one is not later than
// the other, is in `assign`. If `values` satisfy every clause, they are a solution.
//
// If they fail a clause, every solution satisfies one of its cubes. The search takes on the requirements of one cube
// after the other, settles the slots again, and goes on from there. So it visits every combination of cubes that a
// solution can satisfy, and leaves out only combinations for which a slot has no value: a proof by `value_of`. When
// the search comes back from a cube that is a single literal, no solution with this literal is left. Its negation is
// taken on for the cubes that follow, which shortens the search and removes no solution.
//
// Each step takes on a cube of a clause that was not satisfied, and a clause stays satisfied while its cube is taken. So
// the depth is at most the number of clauses, and the search ends.

use std::sync::Arc;

mod candidates;
pub(in crate::access) mod slot;
pub(in crate::access) mod universe;
pub(in crate::access) mod values;

use self::slot::{Kind, Slot, SlotValue};
use self::values::{Undecidable, value_of};
use crate::policy::budget::Budget;
use crate::policy::comparison::{Comparison, Conversion, Order};
use crate::policy::instant::Instant;
use crate::policy::operator::Quantifier;
use crate::policy::reading::Reading;
use crate::policy::requirement::{IfPresent, Requirement};

/// A requirement on one slot.
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

/// A cube holds if all its literals hold.
pub(in crate::access) type Cube = Vec<Literal>;

/// A clause holds if one of its cubes holds.
pub(in crate::access) type Clause = Vec<Cube>;

/// The value of each slot, by its number.
pub(in crate::access) type Values = Vec<SlotValue>;

/// The result of the search.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::access) enum Found {
    /// Values that satisfy every clause.
    Values(Values),
    /// There are no such values.
    Nothing,
    /// The budget was spent, or a slot could not be decided.
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
    /// By slot, the requirements that the search has taken on.
    taken: Vec<Vec<Requirement>>,
    /// By slot, a value that satisfies them.
    values: Values,
    /// The changes to `taken` and `values`, so that they can be undone.
    trail: Vec<Change>,
}

enum Change {
    /// A requirement on this slot was taken on.
    Taken(usize),
    /// This slot had this value before.
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
            // No solution with this cube is left, so its negation holds from here on.
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

    /// Finds values for these slots, and moves the instants that depend on them.
    fn assign(&mut self, touched: &[usize]) -> Settled {
        for &index in touched {
            match self.settle(index, None) {
                Settled::Yes => {}
                other => return other,
            }
        }
        // INVARIANT: one instant is not later than another. The candidates for the first are the start of the second's
        // period, which is never too late, and then instants in ascending order. So if the value found is later than the
        // second, only a later value of the second can help.
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

    fn seconds(&self, slot: usize) -> Option<i64> {
        self.values.get(slot)?.first()?.parse().ok()
    }

    /// Finds a value for one slot; for an instant, one that is not before `from`.
    fn settle(&mut self, index: usize, from: Option<i64>) -> Settled {
        let (Some(slot), Some(taken)) = (self.slots.get(index), self.taken.get(index)) else { return Settled::No };
        let mut requirements: Vec<&Requirement> = taken.iter().collect();
        let late;
        if let Some(from) = from {
            let conversion = Conversion { reading: Reading::Narrow, matches_unreadable: false };
            let comparison = Comparison::Instants(Order::GreaterOrEqual, vec![Instant::from_seconds(from)], conversion);
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
