//! A value for one slot that satisfies all requirements on it, or the proof that there is none.
//!
//! Texts are decided by `policy/language.rs`. For numbers, instants and addresses a few candidates stand for all values.
//! If operators of another family are used on such a slot (a number that has to match `7*`), candidates are tried
//! too, and finding none is a proof only in the cases below.
//!
//! Knows nothing of the other slots.

// INVARIANT: `Ok(None)` is a proof that no value satisfies the requirements, but for the cases at the end of this text.
//
// One value at a time. A requirement on a slot with several values asks that every value passes a test, or that some
// value does. Values satisfy all requirements if each of them passes every test of the first kind, and if there is one
// for each test of the second kind. So `value_of` looks for one value for each test of the second kind, which has to
// pass this test and all tests of the first kind. The values found satisfy the requirements together. If one of them
// does not exist, there is no solution.
//
// Why candidates are enough. A comparison names constants: numbers, instants, or the first and last addresses of
// networks. Its result is the same for all values between two neighbouring constants. So one value of each stretch
// between neighbouring constants, the constants themselves, and one value beyond the first and the last constant stand
// for all values. `numbers`, `instants` and `addresses` return these. Instants are whole seconds, so the first second
// after a constant stands for the stretch that follows it. This covers
// - numbers with numeric operators,
// - instants with date operators, and with numeric operators on `aws:EpochTime`,
// - addresses with address operators,
// - any text with operators of one of these families: a text that is no number, instant or address is a candidate too.
//
// Other cases:
// - A test that lists texts without wildcards, and has to match, leaves only these texts: all of them are tried. If it
//   ignores letter case, `shortest` finds the letter case, because a number, date or address does not depend on it.
// - Texts with text operators alone are decided exactly by `shortest`.
// - If no text of a universe is a number, an instant or an address, each other comparison has the same result for all of
//   its texts. If that is the wanted result, only the text tests remain; if not, there is no value.
// - Where text operators and others meet, candidates may find a value, and the text tests alone may rule out every
//   value. If neither happens, the answer is `Undecidable`.
//
// Not covered: a key on which operators of two of the families numeric, date and address meet, and texts that are a
// network (`10.0.0.0/8`) or an instant before 1970. There the candidates do not stand for all values, and `Ok(None)` may
// be wrong.

use super::slot::{Kind, Slot, SlotValue};
use super::universe::Universe;
use crate::policy::budget::{Budget, OverBudget};
use crate::policy::comparison::{Comparison, Texts, date, instant};
use crate::policy::glob::{Glob, LetterCase, Symbol};
use crate::policy::language::{contains, shortest};
use crate::policy::operator::Quantifier;
use crate::policy::requirement::{IfPresent, Requirement};

/// How many listed values cost one step of the budget.
const VALUES_PER_STEP: usize = 8;

/// A value was neither found nor ruled out.
pub(in crate::access) struct Undecidable;

impl From<OverBudget> for Undecidable {
    fn from(_: OverBudget) -> Self {
        Self
    }
}

/// A comparison of a slot's value, and its wanted result.
#[derive(Debug, Clone, Copy)]
struct Test<'r> {
    comparison: &'r Comparison,
    wanted: bool,
}

impl<'r> Test<'r> {
    fn passes(&self, value: &str, budget: &Budget) -> bool {
        self.comparison.matches(value, budget) == self.wanted
    }

    /// The text patterns that the comparison lists, for the value itself or for the date that it is written as.
    fn texts(&self) -> Option<&'r Texts> {
        let mut comparison = self.comparison;
        while let Comparison::AsDate(inner) = comparison {
            comparison = inner;
        }
        if let Comparison::Text(texts) = comparison { Some(texts) } else { None }
    }

    /// The text patterns that the value itself has to match or to miss.
    fn own_texts(&self) -> Option<&'r Texts> {
        if let Comparison::Text(texts) = self.comparison { Some(texts) } else { None }
    }
}

/// A value of the slot that satisfies all requirements; `None` if there is none.
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
                some.push(Test { comparison, wanted: *positive });
            }
            IfPresent::Values { comparison, positive, .. } => every.push(Test { comparison, wanted: *positive }),
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
    let listed: usize = tests.iter().map(|test| test.comparison.value_count()).sum();
    budget.spend(1 + tests.len() + listed / VALUES_PER_STEP)?;
    if let Some(value) = first_passing(slot.preferred.iter().cloned(), tests, budget)? {
        return Ok(Some(value));
    }
    match &slot.kind {
        Kind::Choice(choices) => first_passing(choices.iter().map(|choice| (*choice).to_owned()), tests, budget),
        Kind::Number => value_among(slot, numbers(tests), tests, budget),
        Kind::InstantFrom(from) => value_among(slot, instants(tests, *from), tests, budget),
        Kind::InstantUntil(_) => value_among(slot, instants(tests, 0.0), tests, budget),
        Kind::Address | Kind::PrivateAddress => value_among(slot, addresses(tests), tests, budget),
        Kind::Text(universe) => one_text(slot, universe, tests, budget),
    }
}

/// One text of the universe that passes all tests; `None` if there is none.
fn one_text(
    slot: &Slot,
    universe: &Universe,
    tests: &[Test<'_>],
    budget: &Budget,
) -> Result<Option<String>, Undecidable> {
    let possible = |value: &String| contains(universe, value);
    if let Some(texts) = listed_texts(tests) {
        return first_passing(texts.filter(possible), tests, budget);
    }
    let only_on_text = tests.iter().all(|test| test.own_texts().is_some());
    for usual in slot.usual.iter().filter(|_| only_on_text) {
        if let Some(value) = shortest_text(usual, tests, budget)? {
            return Ok(Some(value));
        }
    }
    if let Some(value) = first_passing(filled(tests, "app", 'a').filter(possible), tests, budget)? {
        return Ok(Some(value));
    }
    let (mut on_text, others): (Vec<Test<'_>>, Vec<Test<'_>>) =
        tests.iter().partition(|test| test.own_texts().is_some());
    // A test that ignores letter case and lists texts without wildcards: numbers, dates and addresses ignore letter case too.
    let listed =
        on_text.iter().filter(|test| test.wanted).filter_map(Test::own_texts).find(|texts| texts.no_wildcards());
    if let Some(texts) = listed {
        let passing =
            |glob: &&Glob| glob.as_literal().is_some_and(|text| others.iter().all(|test| test.passes(&text, budget)));
        let passing = texts.globs().iter().filter(passing).cloned().collect();
        let comparison = Comparison::Text(Texts::new(passing, LetterCase::Ignored));
        on_text.push(Test { comparison: &comparison, wanted: true });
        return Ok(shortest_text(universe, &on_text, budget)?);
    }
    let unreadable_passes = |test: &Test<'_>| test.comparison.matches_unreadable() == test.wanted;
    if others.is_empty() || universe.is_text_only() && others.iter().all(unreadable_passes) {
        return Ok(shortest_text(universe, &on_text, budget)?);
    }
    if universe.is_text_only() { Ok(None) } else { value_among(slot, other_texts(tests), tests, budget) }
}

/// A shortest text of the universe that passes the text tests; `None` if there is none.
fn shortest_text(universe: &Universe, tests: &[Test<'_>], budget: &Budget) -> Result<Option<String>, OverBudget> {
    let texts = |wanted: bool| -> Vec<&Texts> {
        tests.iter().filter(|test| test.wanted == wanted).filter_map(Test::texts).collect()
    };
    shortest(universe, &texts(true), &texts(false), budget)
}

/// The first of the candidates that passes all tests.
fn first_passing(
    candidates: impl Iterator<Item = String>,
    tests: &[Test<'_>],
    budget: &Budget,
) -> Result<Option<String>, Undecidable> {
    for value in candidates {
        if tests.iter().all(|test| test.passes(&value, budget)) {
            return Ok(Some(value));
        }
        budget.spend(1)?;
    }
    Ok(None)
}

/// Whether the slot can have the value, requirements aside.
pub(in crate::access) fn is_possible(slot: &Slot, value: &str) -> bool {
    match &slot.kind {
        Kind::Text(universe) => contains(universe, value),
        Kind::Choice(choices) => choices.contains(&value),
        Kind::Number => value.parse::<f64>().is_ok(),
        Kind::InstantUntil(_) => value.parse::<u64>().is_ok(),
        Kind::InstantFrom(from) => value.parse::<u64>().is_ok_and(|n| n as f64 >= *from),
        Kind::Address => value.parse::<std::net::IpAddr>().is_ok(),
        Kind::PrivateAddress => value.parse().is_ok_and(is_private),
    }
}

/// The first of the candidates that passes all tests. If none passes, the answer is `None` where the candidates stand for
/// all values, or where the text tests alone rule out every value, and `Undecidable` elsewhere.
fn value_among(
    slot: &Slot,
    candidates: Vec<String>,
    tests: &[Test<'_>],
    budget: &Budget,
) -> Result<Option<String>, Undecidable> {
    let lists_values = |test: &Test<'_>| test.wanted && test.texts().is_some_and(Texts::only_literals);
    let complete = tests.iter().any(lists_values)
        || match &slot.kind {
            Kind::Choice(_) => false,
            Kind::Text(universe) => {
                let all = |family: fn(&Comparison) -> bool| tests.iter().all(|test| family(test.comparison));
                matches!(universe, Universe::Text | Universe::Member)
                    && (all(|comparison| matches!(comparison, Comparison::Number { .. }))
                        || all(|comparison| matches!(comparison, Comparison::Networks { .. })))
            }
            _ => tests.iter().all(|test| test.texts().is_none()),
        };
    let possible = |value: &String| is_possible(slot, value);
    // Pieces of numbers, dates and addresses, to be put in the place of wildcards.
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
    let candidates = candidates.into_iter().chain(listed_texts(tests).into_iter().flatten()).chain(filled);
    if let Some(value) = first_passing(candidates.filter(possible), tests, budget)? {
        return Ok(Some(value));
    }
    if complete || ruled_out_by_texts(slot, tests, budget)? { Ok(None) } else { Err(Undecidable) }
}

/// Whether no spelling of any value of the slot passes the text tests. The universes hold every spelling, and more.
fn ruled_out_by_texts(slot: &Slot, tests: &[Test<'_>], budget: &Budget) -> Result<bool, Undecidable> {
    let with_texts = tests.iter().filter(|test| test.texts().is_some()).copied();
    let groups: Vec<(&Universe, Vec<Test<'_>>)> = match &slot.kind {
        Kind::Choice(_) => return Err(Undecidable),
        Kind::Text(universe) => vec![(universe, with_texts.collect())],
        Kind::Number => vec![(&Universe::Number, with_texts.collect())],
        Kind::Address | Kind::PrivateAddress => vec![(&Universe::Address, with_texts.collect())],
        Kind::InstantFrom(_) | Kind::InstantUntil(_) => {
            // `aws:EpochTime` is compared as seconds, the other keys as dates.
            let (seconds, dates) = with_texts.partition(|test| test.own_texts().is_some());
            vec![(&Universe::Number, seconds), (&Universe::Date, dates)]
        }
    };
    for (universe, tests) in groups {
        if shortest_text(universe, &tests, budget)?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The texts of the first test that lists texts without wildcards and has to match: the value is one of them. `None` if
/// there is no such test.
fn listed_texts(tests: &[Test<'_>]) -> Option<impl Iterator<Item = String>> {
    let texts =
        tests.iter().filter(|test| test.wanted).filter_map(Test::own_texts).find(|texts| texts.only_literals())?;
    Some(texts.globs().iter().filter_map(Glob::as_literal))
}

/// Texts made from the patterns that have to match: a word replaces each `*` and a letter each `?`.
fn filled(tests: &[Test<'_>], word: &str, letter: char) -> impl Iterator<Item = String> {
    let texts = tests.iter().filter(|test| test.wanted).filter_map(Test::own_texts);
    texts.flat_map(Texts::globs).map(move |glob| {
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

/// The numbers that the tests name, and one number of each stretch between and beyond them.
fn numbers(tests: &[Test<'_>]) -> Vec<String> {
    let mut named = vec![0.0];
    for test in tests {
        if let Comparison::Number { numbers, .. } = test.comparison {
            named.extend(numbers);
        }
    }
    named.sort_by(f64::total_cmp);
    let between =
        named.windows(2).filter_map(|pair| if let [low, high] = pair { Some((low + high) / 2.0) } else { None });
    // Beyond 2^53, adding 1 to a number does not change it.
    let around = named.iter().flat_map(|n| [*n, n + 1.0, n - 1.0, n.abs() * 2.0 + 1.0, -(n.abs() * 2.0 + 1.0)]);
    let all: Vec<f64> = around.chain(between).collect();
    // Also with leading zeros: four digits may be read as a year, and account ids have twelve digits.
    let padded = all.iter().filter(|n| n.fract() == 0.0 && (0.0..1e12).contains(*n));
    let padded: Vec<String> = padded.flat_map(|n| [format!("{n:010}"), format!("{n:012}")]).collect();
    all.iter().map(f64::to_string).chain(padded).collect()
}

/// The instants that the tests name, and one of each stretch between and beyond them, in ascending order from `from`;
/// then instants whose spelling may match the text tests.
#[expect(clippy::cast_possible_truncation, reason = "the numbers of policies and instants fit 64 bits")]
fn instants(tests: &[Test<'_>], from: f64) -> Vec<String> {
    const YEAR: f64 = 31_536_000.0;
    let mut numbers = vec![from];
    for test in tests {
        if let Comparison::Number { numbers: named, .. } = test.comparison {
            numbers.extend(named.iter().flat_map(|n| [n.floor() - 1.0, n.floor(), n.floor() + 1.0, n.ceil() + 1.0]));
        }
    }
    numbers.retain(|n| *n >= from);
    numbers.sort_by(f64::total_cmp);
    // With leading zeros, because four digits would be read as a year.
    let written = |n: f64| format!("{:010}", n as i64);
    let mut instants: Vec<String> = numbers.iter().copied().map(written).collect();
    let wanted = tests.iter().filter(|test| test.wanted);
    let texts = wanted.filter_map(|test| Some((test.own_texts().is_none(), test.texts()?)));
    // The start of the pattern, completed with the end of another instant.
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
    if tests.iter().any(|test| test.texts().is_some()) {
        instants.extend((1..12).map(|years| written(from + f64::from(years) * YEAR)));
    }
    instants
}

/// The place of a host in its network.
const HOST: u128 = 10;

/// The private networks, each by its first address and the length of its prefix.
const PRIVATE: [(u32, u32); 4] = [(0x0a00_0000, 8), (0xac10_0000, 12), (0xc0a8_0000, 16), (0x6440_0000, 10)];

fn is_private(address: std::net::Ipv4Addr) -> bool {
    PRIVATE.iter().any(|(first, prefix)| (address.to_bits() ^ first).leading_zeros() >= *prefix)
}

/// The first address of each stretch that starts at, or after, a network that the tests name, and of each private network; one
/// list for IPv4 and IPv6. An address inside each network comes first, because networks do not give their first one to a host.
fn addresses(tests: &[Test<'_>]) -> Vec<String> {
    let (mut v4, mut v6) = (vec![0_u32], vec![0_u128]);
    let mut hosts = Vec::new();
    v4.extend(PRIVATE.map(|(first, _)| first));
    for test in tests {
        let Comparison::Networks { networks, .. } = test.comparison else { continue };
        for network in networks {
            let host = network.first.saturating_add(HOST).min(network.last);
            if network.v6 {
                v6.extend([Some(network.first), network.last.checked_add(1)].into_iter().flatten());
                hosts.push(std::net::Ipv6Addr::from(host).to_string());
            } else {
                let edges = [network.first, network.last.saturating_add(1)];
                v4.extend(edges.into_iter().filter_map(|edge| u32::try_from(edge).ok()));
                hosts.extend(u32::try_from(host).map(|host| std::net::Ipv4Addr::from(host).to_string()));
            }
        }
    }
    v4.sort_unstable();
    v6.sort_unstable();
    let v4 = v4.into_iter().map(|n| std::net::Ipv4Addr::from(n).to_string());
    hosts.into_iter().chain(v4).chain(v6.into_iter().map(|n| std::net::Ipv6Addr::from(n).to_string())).collect()
}

/// Candidates for a slot that may have any text, with tests of numbers, instants or networks.
fn other_texts(tests: &[Test<'_>]) -> Vec<String> {
    let mut texts = vec!["app".to_owned()];
    texts.extend(numbers(tests));
    texts.extend(addresses(tests));
    let wanted = tests.iter().filter(|test| test.wanted).filter_map(Test::texts);
    texts.extend(wanted.flat_map(Texts::globs).filter_map(|glob| begun_as(glob, "2030-01-01T00:00:00Z")));
    texts
}

/// A text that starts like the pattern, up to its first wildcard, and ends like another text.
fn begun_as(glob: &Glob, like: &str) -> Option<String> {
    let start = glob.0.iter().map_while(|symbol| if let Symbol::Char(c) = symbol { Some(*c) } else { None });
    let start: String = start.collect();
    like.get(start.len()..).map(|rest| format!("{start}{rest}"))
}
