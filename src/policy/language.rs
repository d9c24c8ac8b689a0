//! Sets of strings: finds a shortest string that some patterns match and others do not.
//!
//! The question is: given a set of possible strings (a [`Domain`], such as the names of repositories), patterns that have
//! to match and patterns that must not, is there such a string? [`shortest`] answers it.
//!
//! # How it works
//!
//! Every pattern is an automaton, and so is the domain. The search walks through all of them together, one character at
//! a time, shorter strings first. It only builds the states that it reaches.
//!
//! # Why the answer is right
//!
//! - Shorter strings come first, so the first string found is a shortest one.
//! - Two strings with the same state of the domain and the same positions in all patterns have the same continuations. The
//!   search continues only the first of them.
//! - If a string is an answer, replace in it each character that no pattern mentions by another such character of its
//!   class. The domain and the patterns do not see the difference, so the result is an answer too. That is why one
//!   character of each class is enough. A character outside the Basic Multilingual Plane that no pattern mentions can be
//!   replaced by one or two others, depending on how many `?` match it.
//! - A branch ends early only if no continuation can succeed: a pattern that has to match has no position left, or a
//!   pattern that must not match has reached its final `*`.
//!
//! # Cost
//!
//! The worst case is exponential in the number of patterns with several `*` each: the states are sets of positions in all
//! patterns. Every step is paid from a [`Budget`]. If it is spent, the answer is [`OverBudget`], never a wrong one.
//!
//! Knows nothing of policies.

use std::collections::HashSet;
use std::rc::Rc;

use super::budget::{Budget, OverBudget};
use super::comparison::Texts;
use super::glob::{LetterCase, Symbol, TextRules, case_variants};
use super::reading::Reading;

/// The possible strings, as a deterministic automaton.
pub trait Domain {
    /// The start of every string of the domain.
    fn prefix(&self) -> &str;
    /// The state after one more character. State 0 is the one after the prefix. `None` if no string of the domain
    /// continues with this character.
    fn step(&self, state: u16, c: char) -> Option<u16>;
    /// Whether a string of the domain may end in this state.
    fn accepts(&self, state: u16) -> bool;
    /// Classes of characters that the automaton treats alike, in each the preferred character first. A domain that
    /// allows every character lists some of them and returns true from [`Domain::any_character`].
    fn classes(&self) -> &[&str];
    /// Whether characters outside the classes are allowed too.
    fn any_character(&self) -> bool {
        false
    }
    /// The maximum number of characters after the prefix.
    fn max_len(&self) -> usize;
}

/// Whether a string is in a domain.
pub fn contains(domain: &dyn Domain, text: &str) -> bool {
    let Some(text) = text.strip_prefix(domain.prefix()) else { return false };
    let mut state = 0;
    let mut len = 0;
    for c in text.chars() {
        len += 1;
        match domain.step(state, c) {
            Some(next) if len <= domain.max_len() => state = next,
            _ => return false,
        }
    }
    domain.accepts(state)
}

/// The state of a union of patterns after some text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Progress {
    /// The union matches any continuation.
    Everything,
    /// The positions reached, sorted: (index of the pattern, index of its next symbol).
    Positions(Vec<(u32, u32)>),
}

/// A shortest string of the domain that every union in `inside` matches and no union in `outside` matches. `None` if
/// there is no such string. The result does not depend on the order of the unions and of their patterns.
///
/// # Errors
/// The budget is spent before the answer is known.
pub fn shortest(
    domain: &dyn Domain,
    inside: &[&Texts],
    outside: &[&Texts],
    budget: &Budget,
) -> Result<Option<String>, OverBudget> {
    let unions: Vec<&Texts> = inside.iter().chain(outside).copied().collect();
    let Alphabet { characters, doubtful } = alphabet(domain, &unions);
    let mut start: Vec<Progress> = unions.iter().map(|union| begin(union)).collect();
    for c in domain.prefix().chars() {
        let mut work = 1;
        let next = |(union, progress): (&&Texts, &Progress)| advance(union, progress, c, union.rules(), &mut work);
        start = unions.iter().zip(&start).map(next).collect();
        budget.spend(work)?;
    }
    if hopeless(&start, inside.len()) || inside.iter().any(|union| too_long(union, domain)) {
        return Ok(None);
    }

    // The strings tried: (index of the parent, last character, length).
    // INVARIANT: a parent comes before its children, so `spell` ends.
    let mut walk: Vec<(usize, char, usize)> = vec![(0, '\0', 0)];
    let start = Rc::new((0, start));
    let mut frontier = vec![(0, Rc::clone(&start))];
    let mut seen = HashSet::from([start]);
    while !frontier.is_empty() {
        let mut next_frontier = Vec::new();
        for (at, place) in frontier {
            let (state, progress) = &*place;
            if domain.accepts(*state) && accepted(&unions, progress, inside.len()) {
                return Ok(Some(format!("{}{}", domain.prefix(), spell(&walk, at))));
            }
            let len = walk.get(at).map_or(0, |(_, _, len)| *len);
            if len >= domain.max_len() {
                continue;
            }
            for &c in &characters {
                let Some(next_state) = domain.step(*state, c) else { continue };
                let mut work = 1;
                let mut next = Vec::with_capacity(progress.len());
                for (i, (union, progress)) in unions.iter().zip(progress).enumerate() {
                    let mut rules = union.rules();
                    if i >= inside.len() && doubtful.contains(&c) {
                        rules.reading = Reading::Wide;
                    }
                    let after = advance(union, progress, c, rules, &mut work);
                    let dead = dead(&after, i < inside.len());
                    next.push(after);
                    if dead {
                        break;
                    }
                }
                budget.spend(work)?;
                if next.len() < unions.len() || hopeless(&next, inside.len()) {
                    continue;
                }
                let key = (next_state, next);
                if seen.contains(&key) {
                    continue;
                }
                let place = Rc::new(key);
                next_frontier.push((walk.len(), Rc::clone(&place)));
                walk.push((at, c, len + 1));
                seen.insert(place);
            }
        }
        frontier = next_frontier;
    }
    Ok(None)
}

/// Whether all texts that the union matches are longer than every string of the domain.
fn too_long(union: &Texts, domain: &dyn Domain) -> bool {
    let most = domain.prefix().chars().count() + domain.max_len();
    union.globs().iter().all(|glob| glob.0.iter().filter(|symbol| !symbol.matches_empty()).count() > most)
}

/// The characters to try.
struct Alphabet {
    /// All that a pattern matches by name, and from each class of the domain one that no pattern matches by name.
    characters: Vec<char>,
    /// The characters that no pattern has, and that are the same as one that a pattern has if letter case does not matter.
    ///
    /// For some of them this has two readings. In none of these a pattern that has to match and a pattern that must not
    /// match differ in what they take for the same. So the latter are read wide.
    doubtful: Vec<char>,
}

fn alphabet(domain: &dyn Domain, unions: &[&Texts]) -> Alphabet {
    let (mut mentioned, mut variants) = (Vec::new(), Vec::new());
    for union in unions {
        for symbol in union.globs().iter().flat_map(|glob| &glob.0) {
            match symbol {
                Symbol::Char(c) => {
                    mentioned.push(*c);
                    if union.rules().letter_case == LetterCase::Ignored {
                        variants.push(*c);
                    }
                }
                Symbol::OneInPart | Symbol::ManyInPart => mentioned.push(':'),
                Symbol::One | Symbol::Many => {}
            }
        }
    }
    sort_once(&mut mentioned);
    sort_once(&mut variants);
    let mut doubtful: Vec<char> = variants.into_iter().flat_map(case_variants).collect();
    doubtful.retain(|c| mentioned.binary_search(c).is_err());
    sort_once(&mut doubtful);
    mentioned.extend(&doubtful);
    sort_once(&mut mentioned);
    let mut characters: Vec<char> = Vec::new();
    let mut unmentioned = false;
    for class in domain.classes() {
        let fresh = class.chars().find(|c| mentioned.binary_search(c).is_err());
        unmentioned |= fresh.is_some();
        characters.extend(fresh);
    }
    if domain.any_character() && !unmentioned {
        characters.extend(('\u{a1}'..).find(|c| mentioned.binary_search(c).is_err()));
    }
    characters.extend(mentioned);
    Alphabet { characters, doubtful }
}

fn sort_once(characters: &mut Vec<char>) {
    characters.sort_unstable();
    characters.dedup();
}

/// The state of a union before the first character.
fn begin(union: &Texts) -> Progress {
    close(union, (0..union.globs().len()).map(|pattern| (pattern as u32, 0)).collect())
}

/// Adds the positions that are reached without a character. Finds out whether the union matches any continuation.
fn close(union: &Texts, mut positions: Vec<(u32, u32)>) -> Progress {
    let mut i = 0;
    while let Some(&(pattern, at)) = positions.get(i) {
        let symbols = union.globs().get(pattern as usize).map_or(&[] as &[Symbol], |glob| &glob.0);
        match symbols.get(at as usize) {
            Some(Symbol::Many)
                if symbols.get(at as usize..).is_some_and(|rest| rest.iter().all(|s| *s == Symbol::Many)) =>
            {
                return Progress::Everything;
            }
            Some(symbol) if symbol.matches_empty() => positions.push((pattern, at + 1)),
            _ => {}
        }
        i += 1;
    }
    positions.sort_unstable();
    positions.dedup();
    Progress::Positions(positions)
}

/// The state of a union after one more character.
fn advance(union: &Texts, progress: &Progress, c: char, rules: TextRules, work: &mut usize) -> Progress {
    let Progress::Positions(positions) = progress else { return Progress::Everything };
    *work += positions.len();
    let mut next = Vec::with_capacity(positions.len());
    for &(pattern, at) in positions {
        if let Some(glob) = union.globs().get(pattern as usize) {
            glob.advance(at as usize, c, rules, |after| next.push((pattern, after as u32)));
        }
    }
    close(union, next)
}

/// Whether no continuation can succeed because of this union. `inside`: the union has to match.
fn dead(progress: &Progress, inside: bool) -> bool {
    match progress {
        Progress::Everything => !inside,
        Progress::Positions(positions) => inside && positions.is_empty(),
    }
}

/// Whether no continuation can succeed because of one of the unions. The first `inside` of them have to match.
fn hopeless(progress: &[Progress], inside: usize) -> bool {
    progress.iter().enumerate().any(|(i, progress)| dead(progress, i < inside))
}

/// Whether the text ends the search: the first `inside` unions match it, and the others do not.
fn accepted(unions: &[&Texts], progress: &[Progress], inside: usize) -> bool {
    unions.iter().zip(progress).enumerate().all(|(i, (union, progress))| {
        let matched = match progress {
            Progress::Everything => true,
            Progress::Positions(positions) => positions.iter().any(|(pattern, at)| {
                union.globs().get(*pattern as usize).is_some_and(|glob| glob.0.len() == *at as usize)
            }),
        };
        matched == (i < inside)
    })
}

/// The string of an entry of the walk.
fn spell(walk: &[(usize, char, usize)], mut at: usize) -> String {
    let mut reversed = Vec::new();
    while let Some((parent, c, _)) = walk.get(at).filter(|_| at != 0) {
        reversed.push(*c);
        at = *parent;
    }
    reversed.iter().rev().collect()
}
