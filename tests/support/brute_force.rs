//! Brute force for questions about sets of strings: every string of a small domain is tried against every pattern.
//!
//! It uses the data types of the crate and none of its code. The tests and the fuzz targets use it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy takes the helpers of tests for no tests"
)]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::fmt;

use ecr_read_only::policy::budget::{Budget, OverBudget};
use ecr_read_only::policy::comparison::Texts;
use ecr_read_only::policy::glob::{Glob, LetterCase, Symbol};
use ecr_read_only::policy::language::{Domain, contains, shortest};

use super::generate::Rng;

/// A domain of few short strings.
#[derive(Debug, Clone, Copy)]
pub struct Small {
    /// The name, for failure messages.
    pub name: &'static str,
    /// The start of every string.
    pub prefix: &'static str,
    /// The characters to try after the prefix. If every character is allowed, the last one stands for those that no
    /// pattern mentions.
    pub letters: &'static str,
    /// The classes of characters.
    pub classes: &'static [&'static str],
    /// Whether characters outside the classes are allowed.
    pub any_character: bool,
    /// The maximum number of characters after the prefix.
    pub longest: usize,
    /// The next state of the automaton.
    pub step: fn(u16, char) -> Option<u16>,
    /// Whether a string may end in a state.
    pub end: fn(u16) -> bool,
}

impl Domain for Small {
    fn prefix(&self) -> &str {
        self.prefix
    }

    fn step(&self, state: u16, c: char) -> Option<u16> {
        (self.step)(state, c)
    }

    fn accepts(&self, state: u16) -> bool {
        (self.end)(state)
    }

    fn classes(&self) -> &[&str] {
        self.classes
    }

    fn any_character(&self) -> bool {
        self.any_character
    }

    fn max_len(&self) -> usize {
        self.longest
    }
}

/// Every string of four characters, the empty one too.
pub const EVERYTHING: Small = Small {
    name: "everything",
    prefix: "",
    letters: "aAb:",
    classes: &["abA:"],
    any_character: false,
    longest: 5,
    step: |_, c| "aAb:".contains(c).then_some(0),
    end: |_| true,
};

/// Words of `a` and `b`, with single slashes between them, after a prefix.
pub const NAMES: Small = Small {
    name: "names",
    prefix: "r/",
    letters: "ab/",
    classes: &["ab", "/"],
    any_character: false,
    longest: 6,
    // 0 at the start of a word, 1 in it.
    step: |state, c| match (state, c) {
        (_, 'a' | 'b') => Some(1),
        (1, '/') => Some(0),
        _ => None,
    },
    end: |state| state == 1,
};

/// Exactly three digits.
pub const DIGITS: Small = Small {
    name: "digits",
    prefix: "",
    letters: "012",
    classes: &["210"],
    any_character: false,
    longest: 3,
    step: |state, c| "012".contains(c).then_some(state + 1),
    end: |state| state == 3,
};

/// Every text with a colon. `!` stands for all characters that no pattern mentions.
pub const ANYTHING: Small = Small {
    name: "anything",
    prefix: "",
    letters: "aA:éÉ!",
    classes: &["aA", ":"],
    any_character: true,
    longest: 4,
    step: |state, c| Some(if c == ':' { 1 } else { state }),
    end: |state| state == 1,
};

/// All domains.
pub const DOMAINS: [Small; 4] = [EVERYTHING, NAMES, DIGITS, ANYTHING];

impl Small {
    /// All strings of the domain, shorter ones first.
    pub fn strings(&self) -> Vec<String> {
        let mut strings = Vec::new();
        let mut level = vec![(String::new(), 0)];
        for len in 0..=self.longest {
            strings.extend(level.iter().filter(|(_, state)| (self.end)(*state)).map(|(text, _)| text.clone()));
            if len < self.longest {
                let longer = |(text, state): &(String, u16)| {
                    let after = |c| (self.step)(*state, c).map(|next| (format!("{text}{c}"), next));
                    self.letters.chars().filter_map(after).collect::<Vec<_>>()
                };
                level = level.iter().flat_map(longer).collect();
            }
        }
        strings.into_iter().map(|text| format!("{}{text}", self.prefix)).collect()
    }
}

/// Whether the pattern matches the whole text, by the definition of each symbol.
pub fn matches(symbols: &[Symbol], text: &[char], letter_case: LetterCase) -> bool {
    let Some((symbol, rest)) = symbols.split_first() else { return text.is_empty() };
    let first = text.split_first();
    let after_one = |passes: &dyn Fn(char) -> bool| {
        first.is_some_and(|(c, others)| passes(*c) && matches(rest, others, letter_case))
    };
    let after_many = |passes: &dyn Fn(char) -> bool| {
        let most = text.iter().take_while(|c| passes(**c)).count();
        (0..=most).any(|taken| matches(rest, &text[taken..], letter_case))
    };
    match symbol {
        Symbol::Char(own) if letter_case == LetterCase::Ignored => {
            after_one(&|c| own.to_lowercase().eq(c.to_lowercase()))
        }
        Symbol::Char(own) => after_one(&|c| *own == c),
        Symbol::One => after_one(&|_| true),
        Symbol::OneInPart => after_one(&|c| c != ':'),
        Symbol::Many => after_many(&|_| true),
        Symbol::ManyInPart => after_many(&|c| c != ':'),
    }
}

/// Whether one of the union's patterns matches.
pub fn one_matches(union: &Texts, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    union.globs().iter().any(|glob| matches(&glob.0, &text, union.rules().letter_case))
}

/// A union in a short notation: `~` is a `*` and `.` is a `?` that do not match a colon.
pub fn union(patterns: &[&str], letter_case: LetterCase) -> Texts {
    let symbol = |c| match c {
        '*' => Symbol::Many,
        '?' => Symbol::One,
        '~' => Symbol::ManyInPart,
        '.' => Symbol::OneInPart,
        c => Symbol::Char(c),
    };
    Texts::new(patterns.iter().map(|pattern| Glob(pattern.chars().map(symbol).collect())).collect(), letter_case)
}

/// The inverse of [`union`], for failure messages.
fn written(union: &Texts) -> Vec<String> {
    let letter = |symbol: &Symbol| match symbol {
        Symbol::Many => '*',
        Symbol::One => '?',
        Symbol::ManyInPart => '~',
        Symbol::OneInPart => '.',
        Symbol::Char(c) => *c,
    };
    union.globs().iter().map(|glob| glob.0.iter().map(letter).collect()).collect()
}

fn glob(rng: &mut Rng, domain: &Small) -> Glob {
    // The last letter of the domain stays unmentioned, so that it stands for all others.
    let letters: Vec<char> = domain.letters.chars().collect();
    let letters = if domain.any_character { &letters[..letters.len() - 1] } else { &letters[..] };
    let mut symbols = Vec::new();
    if rng.chance(70) {
        symbols.extend(domain.prefix.chars().map(Symbol::Char));
    }
    for _ in 0..rng.below(6) {
        symbols.push(match rng.below(10) {
            0..3 => Symbol::Many,
            // The invariant of `Glob`: no `One` between two `ManyInPart`.
            3 if symbols.iter().rev().find(|symbol| matches!(symbol, Symbol::Many | Symbol::ManyInPart))
                != Some(&Symbol::ManyInPart) =>
            {
                Symbol::One
            }
            4 => Symbol::ManyInPart,
            5 => Symbol::OneInPart,
            _ => Symbol::Char(*rng.choose(letters)),
        });
    }
    Glob(symbols)
}

fn unions(rng: &mut Rng, domain: &Small, most: usize) -> Vec<Texts> {
    let count = rng.below(most + 1);
    let mut one = || {
        let globs = (0..=rng.below(3)).map(|_| glob(rng, domain)).collect();
        Texts::new(globs, if rng.chance(25) { LetterCase::Ignored } else { LetterCase::Exact })
    };
    (0..count).map(|_| one()).collect()
}

/// A question: is there a text in the domain that all of some unions match, and none of others?
pub struct Question {
    /// The domain.
    pub domain: Small,
    /// One pattern of each union has to match.
    pub inside: Vec<Texts>,
    /// No pattern of these unions may match.
    pub outside: Vec<Texts>,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}", self.domain.name)?;
        for (word, unions) in [("inside", &self.inside), ("outside", &self.outside)] {
            for union in unions {
                write!(
                    f,
                    ", {word}{} {:?}",
                    if union.rules().letter_case == LetterCase::Ignored { " (any case)" } else { "" },
                    written(union)
                )?;
            }
        }
        Ok(())
    }
}

impl Question {
    /// A random question.
    pub fn by_chance(rng: &mut Rng) -> Question {
        let domain = *rng.choose(&DOMAINS);
        Question { domain, inside: unions(rng, &domain, 2), outside: unions(rng, &domain, 3) }
    }

    /// The answer of the crate.
    ///
    /// # Errors
    /// The budget is spent.
    pub fn answer(&self, steps: u64) -> Result<Option<String>, OverBudget> {
        let inside: Vec<&Texts> = self.inside.iter().collect();
        let outside: Vec<&Texts> = self.outside.iter().collect();
        shortest(&self.domain, &inside, &outside, &Budget::new(steps))
    }

    /// Whether a text is an answer.
    pub fn satisfied(&self, text: &str) -> bool {
        self.inside.iter().all(|union| one_matches(union, text))
            && !self.outside.iter().any(|union| one_matches(union, text))
    }

    /// The length of a shortest answer, in characters.
    pub fn least(&self, strings: &[String]) -> Option<usize> {
        strings.iter().find(|text| self.satisfied(text)).map(|text| text.chars().count())
    }

    /// Checks an answer of the crate.
    ///
    /// # Errors
    /// Why the answer is wrong.
    pub fn check(&self, answer: Option<&str>, strings: &[String]) -> Result<(), String> {
        let least = self.least(strings);
        let problem = match (answer, least) {
            (None, None) => return Ok(()),
            (None, Some(_)) => format!("no answer, but {:?} is one", strings.iter().find(|text| self.satisfied(text))),
            (Some(text), _) if !contains(&self.domain, text) => format!("`{text}` is not in the domain"),
            (Some(text), _) if !self.satisfied(text) => format!("`{text}` is not an answer"),
            (Some(text), least) if Some(text.chars().count()) != least => {
                format!("`{text}` is not a shortest answer, which has {least:?} characters")
            }
            (Some(_), _) => return Ok(()),
        };
        Err(format!("{problem}: {self:?}"))
    }
}
