//! A value for one unknown of the request that satisfies all that is asked of it, or the certainty that there is none.
//!
//! Each kind of unknown has its own way: texts by the patterns' algebra, numbers, instants and addresses by one candidate
//! of each stretch between the constants named. Where something of another type is asked too (a number that has to look
//! like `7*`), candidates are tried; finding none then proves nothing unless the texts alone leave none.
//!
//! Knows nothing of the other unknowns, but for the names of their kinds.

use super::slot::{Kind, Slot, SlotValue};
use super::universe::Universe;
use crate::policy::budget::{Budget, OverBudget};
use crate::policy::comparison::{Comparison, Texts, date, instant};
use crate::policy::glob::{Glob, Symbol};
use crate::policy::language::{contains, shortest};
use crate::policy::operator::Quantifier;
use crate::policy::requirement::{IfPresent, Requirement};

/// How many listed values are looked at in the time of a step of the budget.
const VALUES_PER_STEP: usize = 8;

/// The values asked for are neither found nor ruled out.
pub(in crate::access) struct Undecidable;

impl From<OverBudget> for Undecidable {
    fn from(_: OverBudget) -> Self {
        Self
    }
}

/// One comparison and how it has to come out.
type Test<'r> = (&'r Comparison, bool);

/// A state of the slot that satisfies all requirements; `None` if there is none.
pub(in crate::access) fn value_of(
    slot: &Slot,
    requirements: &[&Requirement],
    budget: &Budget,
) -> Result<Option<SlotValue>, Undecidable> {
    if slot.optional && requirements.iter().all(|requirement| requirement.if_absent) {
        return Ok(Some(SlotValue::Absent));
    }
    let (mut every, mut some) = (Vec::new(), Vec::new());
    for requirement in requirements {
        match &requirement.if_present {
            IfPresent::Holds(true) => {}
            IfPresent::Holds(false) => return Ok(None),
            IfPresent::Values { quantifier: Quantifier::Any, comparison, positive } if slot.multivalued => {
                some.push((&**comparison, *positive));
            }
            IfPresent::Values { comparison, positive, .. } => every.push((&**comparison, *positive)),
        }
    }
    if some.is_empty() {
        return Ok(one_value(slot, &every, budget)?.map(SlotValue::one));
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
    Ok(Some(SlotValue::Present(values)))
}

/// One value that passes all tests; `None` if there is none.
fn one_value(slot: &Slot, tests: &[Test<'_>], budget: &Budget) -> Result<Option<String>, Undecidable> {
    let listed: usize = tests.iter().map(|(comparison, _)| comparison.value_count()).sum();
    budget.spend(1 + tests.len() + listed / VALUES_PER_STEP)?;
    if let Some(value) = first(slot.preferred.iter().cloned(), tests, budget)? {
        return Ok(Some(value));
    }
    match &slot.kind {
        Kind::Choice(choices) => first(choices.iter().map(|choice| (*choice).to_owned()), tests, budget),
        Kind::Number => among(slot, numbers(tests), tests, budget),
        Kind::InstantFrom(from) => among(slot, instants(tests, *from), tests, budget),
        Kind::InstantUntil(_) => among(slot, instants(tests, 0.0), tests, budget),
        Kind::Address => among(slot, addresses(tests), tests, budget),
        Kind::Text(universe) => {
            let possible = |value: &String| contains(universe, value);
            if let Some(texts) = listed_texts(tests) {
                return first(texts.filter(possible), tests, budget);
            }
            if let Some(value) = first(filled(tests, "app", 'a').filter(possible), tests, budget)? {
                return Ok(Some(value));
            }
            let on_text: Vec<Test<'_>> =
                tests.iter().filter(|(one, _)| matches!(one, Comparison::Text(_))).copied().collect();
            let others = || tests.iter().filter(|(one, _)| !matches!(one, Comparison::Text(_)));
            if universe.is_text_only()
                && others().all(|(comparison, positive)| comparison.matches_unreadable() == *positive)
                || on_text.len() == tests.len()
            {
                return Ok(shortest_text(universe, &on_text, budget)?);
            }
            // A text that is also asked to be a number, an instant or an address.
            if universe.is_text_only() { Ok(None) } else { among(slot, other_texts(tests), tests, budget) }
        }
    }
}

/// The texts that a comparison lists, be it for the date that the value is written as.
fn of_texts(comparison: &Comparison) -> Option<&Texts> {
    match comparison {
        Comparison::Text(texts) => Some(texts),
        Comparison::AsDate(inner) => of_texts(inner),
        Comparison::Number { .. } | Comparison::Networks { .. } => None,
    }
}

/// A shortest text of the universe that passes the tests, those that are on text.
fn shortest_text(universe: &Universe, tests: &[Test<'_>], budget: &Budget) -> Result<Option<String>, OverBudget> {
    let texts = |wanted: bool| -> Vec<&Texts> {
        tests.iter().filter(|(_, positive)| *positive == wanted).filter_map(|(one, _)| of_texts(one)).collect()
    };
    shortest(universe, &texts(true), &texts(false), budget)
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

/// Whether an unknown of this kind can have the value at all.
pub(in crate::access) fn is_possible(slot: &Slot, value: &str) -> bool {
    match &slot.kind {
        Kind::Text(universe) => contains(universe, value),
        Kind::Choice(choices) => choices.contains(&value),
        Kind::Number => value.parse::<f64>().is_ok(),
        Kind::InstantUntil(_) => value.parse::<u64>().is_ok(),
        Kind::InstantFrom(from) => value.parse::<u64>().is_ok_and(|n| n as f64 >= *from),
        Kind::Address => value.parse::<std::net::IpAddr>().is_ok(),
    }
}

/// The first of the candidates that passes; where some of the tests are on the text, the candidates do not stand
/// for all values, and finding none proves nothing unless no text at all would do.
fn among(
    slot: &Slot,
    candidates: Vec<String>,
    tests: &[Test<'_>],
    budget: &Budget,
) -> Result<Option<String>, Undecidable> {
    let of_text = |test: &&Test<'_>| of_texts(test.0).is_some();
    let listed = listed_texts(tests);
    let lists = |(comparison, positive): &Test<'_>| *positive && of_texts(comparison).is_some_and(Texts::only_literals);
    let complete = tests.iter().any(lists)
        || match &slot.kind {
            Kind::Choice(_) => false,
            // A text may be a number and an address only of one kind, or none.
            Kind::Text(universe) => {
                matches!(universe, Universe::Text | Universe::Member)
                    && (tests.iter().all(|(comparison, _)| matches!(comparison, Comparison::Number { .. }))
                        || tests.iter().all(|(comparison, _)| matches!(comparison, Comparison::Networks { .. })))
            }
            _ => !tests.iter().any(|test| of_text(&test)),
        };
    let possible = |value: &String| is_possible(slot, value);
    let fillings = [
        ("0", '0'),
        ("1", '1'),
        ("9", '9'),
        ("00", '5'),
        ("000000", '0'),
        ("999999", '9'),
        ("0.1", '5'),
        ("0.0.1", '2'),
    ];
    let filled = fillings.iter().flat_map(|(word, letter)| filled(tests, word, *letter));
    let candidates = candidates.into_iter().chain(listed.into_iter().flatten()).chain(filled);
    if let Some(value) = first(candidates.filter(possible), tests, budget)? {
        return Ok(Some(value));
    }
    if complete {
        return Ok(None);
    }
    // What the texts alone rule out, nothing can be; the universes hold all ways to write the kind, and more.
    let written = match &slot.kind {
        Kind::Text(universe) => universe,
        Kind::Choice(_) => return Err(Undecidable),
        Kind::Number => &Universe::Number,
        Kind::Address => &Universe::Address,
        Kind::InstantFrom(_) | Kind::InstantUntil(_) => &Universe::Date,
    };
    let seconds = |test: &&Test<'_>| matches!(test.0, Comparison::Text(_));
    let instant = matches!(slot.kind, Kind::InstantFrom(_) | Kind::InstantUntil(_));
    let groups: Vec<(&Universe, Vec<Test<'_>>)> = if instant {
        let (seconds, dates) = tests.iter().filter(of_text).partition(seconds);
        vec![(&Universe::Number, seconds), (written, dates)]
    } else {
        vec![(written, tests.iter().filter(of_text).copied().collect())]
    };
    for (universe, tests) in groups {
        if shortest_text(universe, &tests, budget)?.is_none() {
            return Ok(None);
        }
    }
    Err(Undecidable)
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
        Comparison::Number { .. } | Comparison::Networks { .. } | Comparison::AsDate(_) => &[],
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

/// One instant of each stretch between the instants that the tests name, and some that are written as they ask.
#[expect(clippy::cast_possible_truncation, reason = "the numbers of policies and instants fit 64 bits")]
fn instants(tests: &[Test<'_>], from: f64) -> Vec<String> {
    const YEAR: f64 = 31_536_000.0;
    let mut numbers = vec![from];
    for (comparison, _) in tests {
        if let Comparison::Number { numbers: named, .. } = comparison {
            numbers.extend(named.iter().flat_map(|n| [n.floor() - 1.0, n.floor(), n.floor() + 1.0, n.ceil() + 1.0]));
        }
    }
    numbers.retain(|n| *n >= from);
    numbers.sort_by(f64::total_cmp);
    // Padded, because four digits would be read as a year.
    let written = |n: f64| format!("{:010}", n as i64);
    let mut instants: Vec<String> = numbers.iter().copied().map(written).collect();
    let texts = tests
        .iter()
        .filter(|(_, positive)| *positive)
        .filter_map(|(comparison, _)| Some((matches!(comparison, Comparison::AsDate(_)), of_texts(comparison)?)));
    // The beginning of a pattern, and the rest as another instant has it.
    for (as_date, texts) in texts {
        for glob in texts.globs() {
            let whole = |like: &str| begun_as(glob, like);
            for like in [written(from), written(from + 1.0), written(from + YEAR)] {
                if as_date {
                    let next_year =
                        date(&like).map(|like| format!("{}-01-01T00:00:00Z", like.get(..4).unwrap_or_default()));
                    let dates = date(&like).into_iter().chain(next_year).filter_map(|like| whole(&like));
                    instants.extend(dates.filter_map(|date| instant(&date)).map(written));
                } else {
                    instants.extend(whole(&like));
                }
            }
        }
    }
    if tests.iter().any(|(comparison, _)| of_texts(comparison).is_some()) {
        instants.extend((1..12).map(|years| written(from + f64::from(years) * YEAR)));
    }
    instants
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
    let wanted = tests.iter().filter(|(_, positive)| *positive).filter_map(|(comparison, _)| of_texts(comparison));
    texts.extend(wanted.flat_map(Texts::globs).filter_map(|glob| begun_as(glob, "2030-01-01T00:00:00Z")));
    texts
}

/// A text that begins as the pattern does before its first wildcard, and goes on like another.
fn begun_as(glob: &Glob, like: &str) -> Option<String> {
    let start = glob.0.iter().map_while(|symbol| if let Symbol::Char(c) = symbol { Some(*c) } else { None });
    let start: String = start.collect();
    like.get(start.len()..).map(|rest| format!("{start}{rest}"))
}
