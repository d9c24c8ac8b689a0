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

use super::universe::Universe;
use crate::policy::comparison::{Comparison, Order, Texts};
use crate::policy::condition::{Ask, Quantifier, Requirement};
use crate::policy::language::{Budget, OverBudget, contains, shortest};
use crate::policy::pattern::{Glob, Symbol};

/// An unknown of the request.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    /// Whether the request may have no such key.
    pub(super) optional: bool,
    /// Whether the key may have several values.
    pub(super) multivalued: bool,
    /// Values to try first, so that witnesses read like requests.
    pub(super) preferred: Vec<String>,
}

/// What values an unknown may have.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// The strings of a universe.
    Text(Universe),
    /// One of these.
    Choice(&'static [&'static str]),
    /// A number.
    Number,
    /// An instant in seconds since 1970, not before this one.
    InstantFrom(f64),
    /// An instant in seconds since 1970, not after the one in the slot with this number.
    InstantUntil(usize),
    /// An IP address.
    Address,
}

/// What is asked of one slot.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Literal {
    pub(super) slot: usize,
    pub(super) requirement: Requirement,
}

impl Literal {
    pub(super) fn new(slot: usize, requirement: Requirement) -> Self {
        Self { slot, requirement }
    }

    pub(super) fn negated(self) -> Self {
        Self { slot: self.slot, requirement: self.requirement.negated() }
    }

    fn holds(&self, values: &Values, budget: &Budget) -> bool {
        self.requirement.holds(values.get(self.slot).and_then(Option::as_deref), budget)
    }
}

/// Literals that hold together.
pub(super) type Cube = Vec<Literal>;

/// Cubes of which one has to hold.
pub(super) type Clause = Vec<Cube>;

/// The values of each slot; `None` for one that is absent.
pub(super) type Values = Vec<Option<Vec<String>>>;

/// What the search found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    /// Values that satisfy every clause.
    Values(Values),
    /// There are none.
    Nothing,
    /// The budget was spent, or the literals on a slot are of kinds that cannot be decided together.
    Unknown,
}

/// Whether one of the clause's cubes holds.
pub(super) fn holds(clause: &Clause, values: &Values, budget: &Budget) -> bool {
    clause.iter().any(|cube| cube.iter().all(|literal| literal.holds(values, budget)))
}

/// Searches for values of the slots that satisfy all clauses.
pub(super) fn solve(slots: &[Slot], clauses: &[&Clause], budget: &Budget) -> Found {
    let mut search = Search {
        slots,
        clauses,
        budget,
        taken: vec![Vec::new(); slots.len()],
        values: vec![None; slots.len()],
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
    Value(usize, Option<Vec<String>>),
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
        self.values.get(slot)?.as_ref()?.first()?.parse().ok()
    }

    /// Finds a value for one slot, for an instant not before `from`.
    fn settle(&mut self, index: usize, from: Option<f64>) -> Settled {
        let (Some(slot), Some(taken)) = (self.slots.get(index), self.taken.get(index)) else { return Settled::No };
        let mut requirements: Vec<&Requirement> = taken.iter().collect();
        let late;
        if let Some(from) = from {
            let comparison =
                Comparison::Number { order: Order::GreaterOrEqual, numbers: vec![from], instants: true, unread: false };
            let if_present =
                Ask::Values { quantifier: Quantifier::Value, comparison: Arc::new(comparison), positive: true };
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

/// How many listed values are looked at in the time of a step of the budget.
const VALUES_PER_STEP: usize = 8;

/// The values asked for are neither found nor ruled out.
struct Undecidable;

impl From<OverBudget> for Undecidable {
    fn from(_: OverBudget) -> Self {
        Self
    }
}

/// One comparison and how it has to come out.
type Test<'r> = (&'r Comparison, bool);

/// A state of the slot that satisfies all requirements; `None` if there is none.
fn value_of(
    slot: &Slot,
    requirements: &[&Requirement],
    budget: &Budget,
) -> Result<Option<Option<Vec<String>>>, Undecidable> {
    if slot.optional && requirements.iter().all(|requirement| requirement.if_absent) {
        return Ok(Some(None));
    }
    let (mut every, mut some) = (Vec::new(), Vec::new());
    for requirement in requirements {
        match &requirement.if_present {
            Ask::Presence(true) => {}
            Ask::Presence(false) => return Ok(None),
            Ask::Values { quantifier: Quantifier::Any, comparison, positive } if slot.multivalued => {
                some.push((&**comparison, *positive));
            }
            Ask::Values { comparison, positive, .. } => every.push((&**comparison, *positive)),
        }
    }
    if some.is_empty() {
        return Ok(one_value(slot, &every, budget)?.map(|value| Some(vec![value])));
    }
    let mut values = Vec::new();
    for test in some {
        every.push(test);
        let value = one_value(slot, &every, budget)?;
        every.pop();
        match value {
            Some(value) if values.contains(&value) => {}
            Some(value) => values.push(value),
            None => return Ok(None),
        }
    }
    Ok(Some(Some(values)))
}

/// One value that passes all tests; `None` if there is none.
fn one_value(slot: &Slot, tests: &[Test<'_>], budget: &Budget) -> Result<Option<String>, Undecidable> {
    let listed: usize = tests.iter().map(|(comparison, _)| comparison.listed()).sum();
    budget.spend(1 + tests.len() + listed / VALUES_PER_STEP)?;
    if let Some(value) = first(slot.preferred.iter().cloned(), tests, budget)? {
        return Ok(Some(value));
    }
    match &slot.kind {
        Kind::Choice(choices) => first(choices.iter().map(|choice| (*choice).to_owned()), tests, budget),
        Kind::Number => among(slot, numbers(tests), tests, budget),
        Kind::InstantFrom(from) => among(slot, whole_numbers(tests, *from), tests, budget),
        Kind::InstantUntil(_) => among(slot, whole_numbers(tests, 0.0), tests, budget),
        Kind::Address => among(slot, addresses(tests), tests, budget),
        Kind::Text(universe) => {
            let possible = |value: &String| contains(universe, value);
            if let Some(texts) = listed_texts(tests) {
                return first(texts.filter(possible), tests, budget);
            }
            if let Some(value) = first(filled(tests, "app", 'a').filter(possible), tests, budget)? {
                return Ok(Some(value));
            }
            let texts = |wanted: bool| -> Option<Vec<&Texts>> {
                let of_sign = tests.iter().filter(|(_, positive)| *positive == wanted);
                of_sign
                    .map(|(comparison, _)| if let Comparison::Text(texts) = comparison { Some(texts) } else { None })
                    .collect()
            };
            match (texts(true), texts(false)) {
                (Some(inside), Some(outside)) => Ok(shortest(universe, &inside, &outside, budget)?),
                // A text that is also asked to be a number or an address.
                _ => among(slot, other_texts(tests), tests, budget),
            }
        }
    }
}

/// The first of the candidates that passes all tests.
fn first(
    candidates: impl Iterator<Item = String>,
    tests: &[Test<'_>],
    budget: &Budget,
) -> Result<Option<String>, Undecidable> {
    for value in candidates {
        if tests.iter().all(|(comparison, positive)| comparison.matches(&value, budget) == *positive) {
            return Ok(Some(value));
        }
        budget.spend(1)?;
    }
    Ok(None)
}

/// The first of the candidates that passes; where some of the tests are on the text, the candidates do not stand
/// for all values, and finding none proves nothing.
fn among(
    slot: &Slot,
    candidates: Vec<String>,
    tests: &[Test<'_>],
    budget: &Budget,
) -> Result<Option<String>, Undecidable> {
    let listed = listed_texts(tests);
    let complete = listed.is_some()
        || match &slot.kind {
            Kind::Choice(_) => false,
            // A text may be a number and an address only of one kind, or none.
            Kind::Text(universe) => {
                *universe == Universe::Text
                    && (tests.iter().all(|(comparison, _)| matches!(comparison, Comparison::Number { .. }))
                        || tests.iter().all(|(comparison, _)| matches!(comparison, Comparison::Networks { .. })))
            }
            _ => !tests.iter().any(|(comparison, _)| matches!(comparison, Comparison::Text(_))),
        };
    let possible = |value: &String| match &slot.kind {
        Kind::Text(universe) => contains(universe, value),
        Kind::Choice(choices) => choices.contains(&value.as_str()),
        Kind::Number => value.parse::<f64>().is_ok(),
        Kind::InstantUntil(_) => value.parse::<u64>().is_ok(),
        Kind::InstantFrom(from) => value.parse::<u64>().is_ok_and(|n| n as f64 >= *from),
        Kind::Address => value.parse::<std::net::IpAddr>().is_ok(),
    };
    let fillings = [("0", '0'), ("1", '1'), ("9", '9'), ("0.1", '5'), ("0.0.1", '2')];
    let filled = fillings.iter().flat_map(|(word, letter)| filled(tests, word, *letter));
    let candidates = candidates.into_iter().chain(listed.into_iter().flatten()).chain(filled);
    match first(candidates.filter(possible), tests, budget)? {
        None if !complete => Err(Undecidable),
        found => Ok(found),
    }
}

/// The texts that a test lists without wildcards, if one does: then the value is one of them.
fn listed_texts(tests: &[Test<'_>]) -> Option<impl Iterator<Item = String>> {
    tests.iter().find_map(|(comparison, positive)| match comparison {
        Comparison::Text(texts) if *positive && texts.only_literals() => {
            Some(texts.globs().iter().filter_map(Glob::as_literal))
        }
        _ => None,
    })
}

/// Texts made from the patterns by putting a word for each `*` and a letter for each `?`.
fn filled(tests: &[Test<'_>], word: &str, letter: char) -> impl Iterator<Item = String> {
    let globs = tests.iter().filter(|(_, positive)| *positive).flat_map(|(comparison, _)| match comparison {
        Comparison::Text(union) => union.globs(),
        Comparison::Number { .. } | Comparison::Networks { .. } => &[],
    });
    globs.map(move |glob| {
        let mut text = String::new();
        for symbol in &glob.0 {
            match symbol {
                Symbol::Char(c) => text.push(*c),
                Symbol::One | Symbol::OneInPart => text.push(letter),
                Symbol::Many | Symbol::ManyInPart => text.push_str(word),
            }
        }
        text
    })
}

/// One number of each stretch between the numbers that the tests name, and these themselves.
fn numbers(tests: &[Test<'_>]) -> Vec<String> {
    let mut named = vec![0.0];
    for (comparison, _) in tests {
        if let Comparison::Number { numbers, .. } = comparison {
            named.extend(numbers);
        }
    }
    named.sort_by(f64::total_cmp);
    let between =
        named.windows(2).filter_map(|pair| if let [low, high] = pair { Some((low + high) / 2.0) } else { None });
    // Beyond 2^53 a step of one is none.
    let around = named.iter().flat_map(|n| [*n, n + 1.0, n - 1.0, n.abs() * 2.0 + 1.0, -(n.abs() * 2.0 + 1.0)]);
    let all: Vec<f64> = around.chain(between).collect();
    // Padded too: four digits may be read as a year, and accounts have twelve.
    let padded = all.iter().filter(|n| n.fract() == 0.0 && (0.0..1e12).contains(*n));
    let padded: Vec<String> = padded.flat_map(|n| [format!("{n:010}"), format!("{n:012}")]).collect();
    all.iter().map(f64::to_string).chain(padded).collect()
}

/// One whole number of each stretch between the numbers that the tests name.
#[expect(clippy::cast_possible_truncation, reason = "the numbers of policies and instants fit 64 bits")]
fn whole_numbers(tests: &[Test<'_>], from: f64) -> Vec<String> {
    let mut numbers = vec![from];
    for (comparison, _) in tests {
        if let Comparison::Number { numbers: named, .. } = comparison {
            numbers.extend(named.iter().flat_map(|n| [n.floor() - 1.0, n.floor(), n.floor() + 1.0, n.ceil() + 1.0]));
        }
    }
    numbers.retain(|n| *n >= from);
    numbers.sort_by(f64::total_cmp);
    // Padded, because four digits would be read as a year.
    numbers.into_iter().map(|n| format!("{:010}", n as i64)).collect()
}

/// One address of each stretch between the networks that the tests name.
fn addresses(tests: &[Test<'_>]) -> Vec<String> {
    let (mut v4, mut v6) = (vec![0_u32], vec![0_u128]);
    for (comparison, _) in tests {
        let Comparison::Networks { networks, .. } = comparison else { continue };
        for network in networks {
            for edge in [Some(network.first), network.last.checked_add(1)].into_iter().flatten() {
                if network.v6 {
                    v6.push(edge);
                } else {
                    v4.extend(u32::try_from(edge));
                }
            }
        }
    }
    v4.sort_unstable();
    v6.sort_unstable();
    let v4 = v4.into_iter().map(|n| std::net::Ipv4Addr::from(n).to_string());
    v4.chain(v6.into_iter().map(|n| std::net::Ipv6Addr::from(n).to_string())).collect()
}

/// Texts for tests of numbers, instants and networks on a slot that may have any text.
fn other_texts(tests: &[Test<'_>]) -> Vec<String> {
    let mut texts = vec!["app".to_owned()];
    texts.extend(numbers(tests));
    texts.extend(addresses(tests));
    texts
}
