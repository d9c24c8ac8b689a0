//! A value for one slot that satisfies all requirements on it, or the proof that there is none.
//!
//! Texts are decided by `policy/language.rs`. For numbers, instants and addresses a few candidates stand for all values.
//!
//! Knows nothing of the other slots.

// INVARIANT: `Ok(None)` is a proof that no value satisfies the requirements.
//
// One value at a time. A requirement on a slot with several values asks that every value passes a test, or that some
// value does. Values satisfy all requirements if each of them passes every test of the first kind, and if there is one
// for each test of the second kind. So `several_values` looks for one value for each test of the second kind, which has
// to pass this test and all tests of the first kind. The values found satisfy the requirements together. If one of them
// does not exist, there is no solution. An operator without set prefix on such a slot also depends on whether there is one
// value: `value_of` tries one value first, then several.
//
// Why candidates are enough: see `candidates.rs`.
//
// Doubt. Some texts convert in several ways, because AWS does not document what IAM does with them. Each test has its own
// reading, so a text may pass one test in one way and another test in another way. This finds more requests than IAM can
// allow, and never fewer.
//
// Where text operators meet others:
// - A test that lists texts without wildcards, and has to match, leaves only these texts: all of them are tried. If it
//   ignores letter case, `shortest` finds the letter case, because a number, date or address does not depend on it.
// - Texts with text operators alone are decided exactly by `shortest`.
// - If no text of a universe is a number, an instant or an address, each other comparison has the same result for all of
//   its texts. If that is the wanted result, only the text tests remain; if not, there is no value.
// - Elsewhere candidates may find a value, and the text tests alone or the others alone may rule out every value. If
//   neither happens, the answer is `Undecidable`.

use super::candidates::{Candidates, candidates, is_private, written_seconds};
use super::slot::{Kind, Slot, SlotValue};
use super::universe::Universe;
use crate::policy::budget::{Budget, OverBudget};
use crate::policy::comparison::{Comparison, Texts};
use crate::policy::glob::{Glob, LetterCase, Symbol};
use crate::policy::instant::{self, date};
use crate::policy::language::{contains, shortest};
use crate::policy::operator::Quantifier;
use crate::policy::requirement::{IfPresent, Requirement};

/// 9999-12-31T23:59:59Z, in seconds since 1970. Requests carry dates with four digits for the year.
const LATEST: u64 = 253_402_300_799;

/// The most steps for a search of a value that looks real.
const STEPS_FOR_USUAL: u64 = 4_000;

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
    let mut tests: [Vec<Test<'_>>; 4] = Default::default();
    let [every, some, alone, alone_or_several] = &mut tests;
    for requirement in requirements {
        match &requirement.if_present {
            IfPresent::Holds(true) => {}
            IfPresent::Holds(false) => return Ok(None),
            IfPresent::Values { quantifier, comparison, positive } => {
                let kind = match quantifier {
                    _ if !slot.multivalued => &mut *every,
                    Quantifier::All => &mut *every,
                    Quantifier::Any => &mut *some,
                    Quantifier::Value => &mut *alone,
                    Quantifier::ValueOrSeveral => &mut *alone_or_several,
                };
                kind.push(Test { comparison, wanted: *positive });
            }
        }
    }
    if alone.is_empty() && alone_or_several.is_empty() {
        return several_values(slot, every, some, 1, budget);
    }
    let one = one_value(slot, &tests.concat(), budget);
    let [every, some, alone, _] = &mut tests;
    if alone.is_empty() && !matches!(one, Ok(Some(_))) {
        let several = several_values(slot, every, some, 2, budget)?;
        return if several.is_none() { one.map(|_| None) } else { Ok(several) };
    }
    Ok(one?.map(SlotValue::one))
}

/// At least this many values that pass every test of the first list; one of them for each test of the second list. `None`
/// if there are none.
fn several_values<'r>(
    slot: &Slot,
    every: &mut Vec<Test<'r>>,
    some: &[Test<'r>],
    at_least: usize,
    budget: &Budget,
) -> Result<Option<SlotValue>, Undecidable> {
    let mut values = Vec::new();
    for test in some {
        every.push(*test);
        let value = one_value(slot, every, budget)?;
        every.pop();
        match value {
            Some(value) if values.contains(&value) => {}
            Some(value) => values.push(value),
            None => return Ok(None),
        }
    }
    while values.len() < at_least {
        // Values that differ in letter case only would be odd: keys of tags ignore letter case.
        let globs = values.iter().map(|value| Glob::literal(value)).collect();
        let known = Comparison::Text(Texts::new(globs, LetterCase::Ignored));
        let mut others = every.clone();
        others.extend((!values.is_empty()).then_some(Test { comparison: &known, wanted: false }));
        match one_value(slot, &others, budget)? {
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
        Kind::Text(universe) => one_text(slot, universe, tests, budget),
        Kind::Number | Kind::InstantFrom(_) | Kind::InstantUntil(_) | Kind::Address | Kind::PrivateAddress => {
            value_among(slot, tests, budget)
        }
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
    if let Some(value) = usual_text(slot, tests, budget) {
        return Ok(Some(value));
    }
    // `web*` becomes `web`, and `team-*` becomes `team-app`.
    let whole = |text: &String| text.ends_with(|c: char| c.is_ascii_alphanumeric());
    let candidates = filled(tests, "", 'a').filter(whole).chain(filled(tests, "app", 'a'));
    if let Some(value) = first_passing(candidates.filter(possible), tests, budget)? {
        return Ok(Some(value));
    }
    let (mut on_text, others): (Vec<Test<'_>>, Vec<Test<'_>>) =
        tests.iter().partition(|test| test.own_texts().is_some());
    // A test that ignores letter case and lists texts without wildcards: numbers, dates and addresses ignore letter case too.
    let listed =
        on_text.iter().filter(|test| test.wanted).filter_map(Test::own_texts).find(|texts| texts.no_wildcards());
    if let Some(texts) = listed {
        let passing = |glob: &&Glob| glob.as_literal().is_some_and(|text| pass(&text, &others, budget));
        let passing = texts.globs().iter().filter(passing).cloned().collect();
        let comparison = Comparison::Text(Texts::new(passing, LetterCase::Ignored));
        on_text.push(Test { comparison: &comparison, wanted: true });
        return Ok(shortest_text(universe, &on_text, budget)?);
    }
    if universe.is_text_only() && !pass("app", &others, budget) {
        return Ok(None);
    }
    if universe.is_text_only() || others.is_empty() {
        return Ok(shortest_text(universe, &on_text, budget)?);
    }
    value_among(slot, tests, budget)
}

/// A usual text that passes all tests. `None` if there is none, or if finding one costs too much.
fn usual_text(slot: &Slot, tests: &[Test<'_>], budget: &Budget) -> Option<String> {
    if slot.usual.is_empty() || tests.iter().any(|test| test.own_texts().is_none()) {
        return None;
    }
    let small = Budget::new(STEPS_FOR_USUAL);
    let found = slot.usual.iter().find_map(|usual| shortest_text(usual, tests, &small).ok().flatten());
    budget.charge(usize::try_from(STEPS_FOR_USUAL - small.left()).unwrap_or(usize::MAX));
    found
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
        if pass(&value, tests, budget) {
            return Ok(Some(value));
        }
        budget.spend(1)?;
    }
    Ok(None)
}

fn pass(value: &str, tests: &[Test<'_>], budget: &Budget) -> bool {
    tests.iter().all(|test| test.passes(value, budget))
}

/// Whether the slot can have the value, requirements aside.
pub(in crate::access) fn is_possible(slot: &Slot, value: &str) -> bool {
    match &slot.kind {
        Kind::Text(universe) => contains(universe, value),
        Kind::Choice(choices) => choices.contains(&value),
        Kind::Number => value.parse::<u64>().is_ok(),
        Kind::InstantUntil(_) => value.parse().is_ok_and(|n: u64| n <= LATEST),
        Kind::InstantFrom(from) => value.parse().is_ok_and(|n: u64| n as f64 >= *from && n <= LATEST),
        Kind::Address => value.parse::<std::net::IpAddr>().is_ok(),
        Kind::PrivateAddress => value.parse().is_ok_and(is_private),
    }
}

/// The first of the candidates that passes all tests. If none passes, the answer is `None` where the tests are known to rule
/// out every value, and `Undecidable` elsewhere.
fn value_among(slot: &Slot, tests: &[Test<'_>], budget: &Budget) -> Result<Option<String>, Undecidable> {
    let Candidates { mut values, complete } = candidates(&slot.kind, tests.iter().map(|test| test.comparison));
    values.retain(|value| is_possible(slot, value));
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
    let guesses = guesses(slot, tests).into_iter().chain(listed_texts(tests).into_iter().flatten()).chain(filled);
    let guesses = guesses.filter(|value| is_possible(slot, value));
    if let Some(value) = first_passing(values.iter().cloned().chain(guesses), tests, budget)? {
        return Ok(Some(value));
    }
    if tests.iter().any(|test| test.wanted && test.texts().is_some_and(Texts::only_literals)) {
        return Ok(None);
    }
    let (with_texts, others): (Vec<Test<'_>>, Vec<Test<'_>>) = tests.iter().partition(|test| test.texts().is_some());
    if complete && (with_texts.is_empty() || first_passing(values.into_iter(), &others, budget)?.is_none()) {
        return Ok(None);
    }
    // The universes hold every spelling of the slot's values, and more.
    let groups: Vec<(&Universe, Vec<Test<'_>>)> = match &slot.kind {
        Kind::Choice(_) => return Err(Undecidable),
        Kind::Text(universe) => vec![(universe, with_texts)],
        Kind::Number => vec![(&Universe::Number, with_texts)],
        Kind::Address | Kind::PrivateAddress => vec![(&Universe::Address, with_texts)],
        Kind::InstantFrom(_) | Kind::InstantUntil(_) => {
            // `aws:EpochTime` is compared as seconds, the other keys as dates.
            let (seconds, dates) = with_texts.into_iter().partition(|test| test.own_texts().is_some());
            vec![(&Universe::Number, seconds), (&Universe::Date, dates)]
        }
    };
    for (universe, on_text) in groups {
        match shortest_text(universe, &on_text, budget)? {
            None => return Ok(None),
            Some(text) => {
                if is_possible(slot, &text) && pass(&text, tests, budget) {
                    return Ok(Some(text));
                }
            }
        }
    }
    Err(Undecidable)
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

/// Texts to try beside the candidates, because they may match the patterns of tests on text.
fn guesses(slot: &Slot, tests: &[Test<'_>]) -> Vec<String> {
    match slot.kind {
        #[expect(clippy::cast_possible_truncation, reason = "the time of an evaluation fits 64 bits")]
        Kind::InstantFrom(from) => guessed_instants(tests, from as i64),
        Kind::InstantUntil(_) => guessed_instants(tests, 0),
        Kind::Text(_) => {
            let texts = tests.iter().filter(|test| test.wanted).filter_map(Test::texts);
            texts.flat_map(Texts::globs).filter_map(|glob| begun_as(glob, "2030-01-01T00:00:00Z")).collect()
        }
        Kind::Choice(_) | Kind::Number | Kind::Address | Kind::PrivateAddress => Vec::new(),
    }
}

/// Instants, not before this one, whose spelling may match the text tests: the start of a pattern, completed with the end
/// of another instant; and the same day in later years.
fn guessed_instants(tests: &[Test<'_>], from: i64) -> Vec<String> {
    const YEAR: i64 = 31_536_000;
    if tests.iter().all(|test| test.texts().is_none()) {
        return Vec::new();
    }
    let written = |seconds: i64| written_seconds(seconds.into());
    let mut guesses = Vec::new();
    for test in tests.iter().filter(|test| test.wanted) {
        let as_date = test.own_texts().is_none();
        for glob in test.texts().map(Texts::globs).unwrap_or_default() {
            let whole = |like: &str| begun_as(glob, like);
            for like in [from, from + 1, from + YEAR].map(written) {
                if as_date {
                    let next_year =
                        date(&like).map(|like| format!("{}-01-01T00:00:00Z", like.get(..4).unwrap_or_default()));
                    let dates = date(&like).into_iter().chain(next_year).filter_map(|like| whole(&like));
                    let instants = dates.flat_map(|date| instant::readings(&date)).flatten();
                    guesses.extend(instants.map(|instant| written_seconds(instant.seconds())));
                } else {
                    guesses.extend(whole(&like));
                }
            }
        }
    }
    guesses.extend((1..12).map(|years| written(from + years * YEAR)));
    guesses
}

/// A text that starts like the pattern, up to its first wildcard, and ends like another text.
fn begun_as(glob: &Glob, like: &str) -> Option<String> {
    let start = glob.0.iter().map_while(|symbol| if let Symbol::Char(c) = symbol { Some(*c) } else { None });
    let start: String = start.collect();
    like.get(start.len()..).map(|rest| format!("{start}{rest}"))
}
