//! Globs: text with the wildcards `*` and `?`.
//!
//! A [`Glob`] is one pattern. Which strings several globs match together is [`super::language`]'s.

use std::cmp::Ordering;

/// One place of a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Symbol {
    /// This character.
    Char(char),
    /// `?`: any one character.
    One,
    /// `*`: any text, the empty one included.
    Many,
    /// `?` in a part of an ARN pattern: any one character but a colon.
    OneInPart,
    /// `*` in a part of an ARN pattern: any text without a colon.
    ManyInPart,
}

impl Symbol {
    /// Whether the symbol can be passed without a character.
    pub(super) fn skippable(self) -> bool {
        matches!(self, Self::Many | Self::ManyInPart)
    }

    /// Whether the symbol takes the character.
    pub(super) fn takes(self, c: char, letter_case: LetterCase) -> bool {
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
/// INVARIANT: no [`Symbol::One`] stands between two [`Symbol::ManyInPart`]. Patterns of ARN conditions have the former
/// in the last part only, and the latter in the others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Glob(pub Vec<Symbol>);

impl Glob {
    /// The glob that matches just this text.
    pub fn literal(text: &str) -> Self {
        Self::of(text, Symbol::Char)
    }

    /// Reads `*` and `?` as wildcards and all else as text.
    pub fn new(text: &str) -> Self {
        Self::of(text, symbol)
    }

    fn of(text: &str, symbol: impl Fn(char) -> Symbol) -> Self {
        let mut symbols = Vec::with_capacity(text.len());
        symbols.extend(text.chars().map(symbol));
        Self(symbols)
    }

    /// The glob that matches ARNs: six parts, of which the first is `arn` and the last may hold colons.
    pub fn arn() -> Self {
        let mut symbols: Vec<Symbol> = "arn".chars().map(Symbol::Char).collect();
        for part in [Symbol::ManyInPart; 4] {
            symbols.extend([Symbol::Char(':'), part]);
        }
        symbols.extend([Symbol::Char(':'), Symbol::Many]);
        Self(symbols)
    }

    /// The text, where it is the only one that the glob matches.
    pub fn as_literal(&self) -> Option<String> {
        self.0.iter().map(|symbol| if let Symbol::Char(c) = symbol { Some(*c) } else { None }).collect()
    }

    /// Whether there is just one text that the glob matches.
    pub fn is_literal(&self) -> bool {
        self.0.iter().all(|symbol| matches!(symbol, Symbol::Char(_)))
    }

    /// The order of a glob without wildcards and a text.
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

    /// Whether the glob matches the whole text; adds the steps that it took, one for about each symbol tried.
    ///
    /// Goes back to the last `*` alone when nothing else helps: what stands before it matched as early as it could,
    /// which leaves the most for the rest. A `*` that stops at colons may run out; then the last one that does not
    /// stop there has its turn.
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
                    if ahead.next().is_some_and(|c| symbol.takes(c, letter_case)) {
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

fn symbol(c: char) -> Symbol {
    match c {
        '*' => Symbol::Many,
        '?' => Symbol::One,
        c => Symbol::Char(c),
    }
}
