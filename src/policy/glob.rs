//! Globs: text with the wildcards `*` and `?`.
//!
//! A [`Glob`] is one pattern, matched against one text. [`super::language`] finds a text that several globs match.
//!
//! # Cost
//!
//! With one kind of `*`, a match tries at most each symbol at each character of the text. With both kinds (`*` and the `*`
//! of ARN operators, which stops at colons) this can repeat for each character of the text. Policies are small: at most
//! 10,240 characters for all inline policies of a role, 6,144 for a managed policy.

use std::cmp::Ordering;

/// One symbol of a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Symbol {
    /// This character.
    Char(char),
    /// `?`: any one character.
    One,
    /// `*`: any text, the empty one included.
    Many,
    /// `?` in a part of an ARN pattern: any one character except a colon.
    OneInPart,
    /// `*` in a part of an ARN pattern: any text without a colon.
    ManyInPart,
}

impl Symbol {
    /// Whether the symbol matches the empty text.
    pub(super) fn matches_empty(self) -> bool {
        matches!(self, Self::Many | Self::ManyInPart)
    }

    /// Whether the symbol matches the character, alone or with others.
    pub(super) fn matches_char(self, c: char, letter_case: LetterCase) -> bool {
        match self {
            Self::Char(own) => letter_case.same(own, c),
            Self::One | Self::Many => true,
            Self::OneInPart | Self::ManyInPart => c != ':',
        }
    }
}

/// Whether the case of letters matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum LetterCase {
    /// `a` and `A` differ.
    #[default]
    Exact,
    /// `a` and `A` are the same.
    Ignored,
}

impl LetterCase {
    /// Whether the two characters are the same.
    fn same(self, one: char, other: char) -> bool {
        one == other || (self == Self::Ignored && one.to_lowercase().eq(other.to_lowercase()))
    }
}

/// A pattern without variables.
///
/// INVARIANT: there is no [`Symbol::One`] between two [`Symbol::ManyInPart`]. In ARN conditions the last part has the
/// former, and the other parts have the latter. Matching relies on it: see `matches_in_steps`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Glob(pub Vec<Symbol>);

impl Glob {
    /// The glob that matches only this text.
    pub fn literal(text: &str) -> Self {
        Self::of(text, Symbol::Char)
    }

    /// Parses a pattern: `*` and `?` are wildcards, other characters are text.
    pub fn new(text: &str) -> Self {
        Self::of(text, symbol)
    }

    fn of(text: &str, symbol: impl Fn(char) -> Symbol) -> Self {
        let mut symbols = Vec::with_capacity(text.len());
        symbols.extend(text.chars().map(symbol));
        Self(symbols)
    }

    /// The glob that matches every ARN: six parts, the first of them `arn`. The last part may contain colons.
    pub fn arn() -> Self {
        let mut symbols: Vec<Symbol> = "arn".chars().map(Symbol::Char).collect();
        for part in [Symbol::ManyInPart; 4] {
            symbols.extend([Symbol::Char(':'), part]);
        }
        symbols.extend([Symbol::Char(':'), Symbol::Many]);
        Self(symbols)
    }

    /// The text of a glob without wildcards.
    pub fn as_literal(&self) -> Option<String> {
        self.0.iter().map(|symbol| if let Symbol::Char(c) = symbol { Some(*c) } else { None }).collect()
    }

    /// Whether the glob has no wildcards.
    pub fn is_literal(&self) -> bool {
        self.0.iter().all(|symbol| matches!(symbol, Symbol::Char(_)))
    }

    /// Compares a glob without wildcards with a text.
    pub(super) fn cmp_text(&self, text: &str) -> Ordering {
        let own = self.0.iter().map(|symbol| if let Symbol::Char(c) = symbol { *c } else { char::MAX });
        own.cmp(text.chars())
    }

    /// Whether the glob matches every text.
    pub fn is_everything(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|symbol| *symbol == Symbol::Many)
    }

    /// Whether the glob matches the whole text; letter case matters.
    pub fn matches(&self, text: &str) -> bool {
        self.matches_in_steps(text, LetterCase::Exact, &mut 0)
    }

    /// Whether the glob matches the whole text. Adds to `steps` about one for each symbol tried.
    ///
    /// On a mismatch the search goes back to the last `*` only, and lets it match one character more. Going back further
    /// does not help: all before that `*` matched as early as possible, which leaves the most text for the rest. If the
    /// last `*` is one that stops at colons and a colon is next, the search goes back to the last `*` that does not stop
    /// at colons.
    pub(super) fn matches_in_steps(&self, text: &str, letter_case: LetterCase, steps: &mut usize) -> bool {
        let (mut at, mut rest) = (0, text.chars());
        let (mut many, mut many_in_part) = (None, None);
        loop {
            *steps += 1;
            match self.0.get(at) {
                Some(Symbol::Many) => {
                    at += 1;
                    if at == self.0.len() {
                        return true;
                    }
                    many = Some((at, rest.clone()));
                    many_in_part = None;
                    continue;
                }
                Some(Symbol::ManyInPart) => {
                    at += 1;
                    many_in_part = Some((at, rest.clone()));
                    continue;
                }
                Some(symbol) => {
                    let mut ahead = rest.clone();
                    if ahead.next().is_some_and(|c| symbol.matches_char(c, letter_case)) {
                        at += 1;
                        rest = ahead;
                        continue;
                    }
                }
                None if rest.as_str().is_empty() => return true,
                None => {}
            }
            if let Some((after, from)) = &mut many_in_part
                && from.next().is_some_and(|c| c != ':')
            {
                (at, rest) = (*after, from.clone());
                continue;
            }
            many_in_part = None;
            let Some((after, from)) = &mut many else { return false };
            if from.next().is_none() {
                return false;
            }
            (at, rest) = (*after, from.clone());
        }
    }
}

/// The symbol of a character of a pattern.
fn symbol(c: char) -> Symbol {
    match c {
        '*' => Symbol::Many,
        '?' => Symbol::One,
        c => Symbol::Char(c),
    }
}
