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
use std::sync::LazyLock;

use super::reading::Reading;

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

    /// The symbol in a pattern of an ARN, after so many colons. A wildcard before the fifth colon matches no colon.
    pub(super) fn in_part(self, colons: &mut usize) -> Self {
        *colons += usize::from(self == Self::Char(':'));
        match self {
            Self::Many if *colons < 5 => Self::ManyInPart,
            Self::One if *colons < 5 => Self::OneInPart,
            other => other,
        }
    }

    /// Whether the symbol is `?`.
    fn is_one(self) -> bool {
        matches!(self, Self::One | Self::OneInPart)
    }

    /// Whether the symbol matches the character, alone or with others.
    pub(super) fn matches_char(self, c: char, rules: TextRules) -> bool {
        match self {
            Self::Char(own) => rules.same(own, c),
            Self::Many => true,
            Self::ManyInPart => c != ':',
            Self::One => is_one_unit(c) || rules.reading == Reading::Wide,
            Self::OneInPart => c != ':' && (is_one_unit(c) || rules.reading == Reading::Wide),
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

/// How an operator compares characters.
///
/// For a character outside the Basic Multilingual Plane, which has two UTF-16 units, it is not documented whether one `?`
/// matches it or two, and whether its letter case can be ignored. It is not documented either whether characters are the
/// same if they have the same lower case (`i` and `İ`) or the same upper case (`s` and `ſ`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TextRules {
    /// Whether the case of letters matters.
    pub letter_case: LetterCase,
    /// How doubtful characters are read.
    pub reading: Reading,
}

impl TextRules {
    /// Whether the two characters are the same.
    fn same(self, one: char, other: char) -> bool {
        if one == other || self.letter_case == LetterCase::Exact {
            return one == other;
        }
        if one.is_ascii() && other.is_ascii() {
            return one.eq_ignore_ascii_case(&other);
        }
        let lower = lower(one) == lower(other);
        let upper = one.to_uppercase().eq(other.to_uppercase());
        self.reading.accepts([lower, upper, is_one_unit(one) && lower].into_iter())
    }
}

/// The lower case of a character, as a single character.
fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// Whether UTF-16 has one unit for the character.
fn is_one_unit(c: char) -> bool {
    c <= '\u{ffff}'
}

/// Whether UTF-16 has two units for a character of the text. UTF-8 has four bytes for it.
pub(super) fn has_two_units(text: &str) -> bool {
    text.bytes().any(|byte| byte >= 0xf0)
}

/// All characters that are the same as this one in the wide reading, if letter case does not matter.
pub(super) fn case_variants(c: char) -> Vec<char> {
    /// The characters that no character has as its lower or upper case.
    static UNUSUAL: LazyLock<Vec<char>> = LazyLock::new(|| {
        let unusual = |x: &char| {
            let pairs = [lower(*x)].into_iter().chain(x.to_uppercase());
            pairs.filter(|y| y != x).any(|y| lower(y) != *x && y.to_uppercase().next() != Some(*x))
        };
        ('\u{80}'..='\u{ffff}').filter(unusual).collect()
    });
    let rules = TextRules { letter_case: LetterCase::Ignored, reading: Reading::Wide };
    let mut variants = vec![c, lower(c)];
    variants.extend(c.to_uppercase());
    variants.extend(lower(c).to_uppercase());
    variants.extend(c.to_uppercase().map(lower));
    variants.extend(UNUSUAL.iter().filter(|x| rules.same(c, **x)));
    variants.retain(|x| rules.same(c, *x));
    variants.sort_unstable();
    variants.dedup();
    variants
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

    /// The pattern of an ARN: wildcards before the fifth colon match no colons.
    pub(super) fn in_parts(self) -> Self {
        let mut colons = 0;
        Self(self.0.into_iter().map(|symbol| symbol.in_part(&mut colons)).collect())
    }

    /// The number of colons, those aside that wildcards match.
    pub(super) fn colons(&self) -> usize {
        self.0.iter().filter(|symbol| **symbol == Symbol::Char(':')).count()
    }

    /// The glob that matches the ARNs among the texts that this one matches. `None` if this is not the pattern of an ARN.
    pub(super) fn only_arns(&self) -> Option<Self> {
        if self.is_everything() {
            return Some(Self::arn());
        }
        let (first, rest) = self.0.split_at(self.0.iter().position(|symbol| *symbol == Symbol::Char(':'))?);
        let of_arns = self.colons() >= 5 && Self(first.to_vec()).matches("arn");
        of_arns.then(|| Self([&Self::literal("arn").0, rest].concat()))
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
        self.matches_in_steps(text, TextRules::default(), &mut 0)
    }

    /// Whether the glob matches the whole text. Adds to `steps` about one for each symbol tried.
    ///
    /// On a mismatch the search goes back to the last `*` only, and lets it match one character more. Going back further
    /// does not help: all before that `*` matched as early as possible, which leaves the most text for the rest. If the
    /// last `*` is one that stops at colons and a colon is next, the search goes back to the last `*` that does not stop
    /// at colons.
    pub(super) fn matches_in_steps(&self, text: &str, rules: TextRules, steps: &mut usize) -> bool {
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
                    if ahead.next().is_some_and(|c| symbol.matches_char(c, rules)) {
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

    /// The same for texts with characters that two `?` may match: with all positions that the text before each character
    /// can reach.
    pub(super) fn matches_by_positions(&self, text: &str, rules: TextRules, steps: &mut usize) -> bool {
        let mut positions = vec![0];
        self.skip_empty(&mut positions);
        for c in text.chars() {
            let mut next = Vec::new();
            for at in positions {
                *steps += 1;
                self.advance(at, c, rules, |after| next.push(after));
            }
            self.skip_empty(&mut next);
            positions = next;
        }
        positions.contains(&self.0.len())
    }

    /// Adds the positions that are reached without a character.
    fn skip_empty(&self, positions: &mut Vec<usize>) {
        let mut i = 0;
        while let Some(&at) = positions.get(i) {
            if self.0.get(at).is_some_and(|symbol| symbol.matches_empty()) {
                positions.push(at + 1);
            }
            i += 1;
        }
        positions.sort_unstable();
        positions.dedup();
    }

    /// Calls `reached` with each position after the character, if the next symbol is the one at this position.
    pub(super) fn advance(&self, at: usize, c: char, rules: TextRules, mut reached: impl FnMut(usize)) {
        let Some(symbol) = self.0.get(at).filter(|symbol| symbol.matches_char(c, rules)) else { return };
        reached(if symbol.matches_empty() { at } else { at + 1 });
        // Two `?` may match the two units of one character.
        if symbol.is_one() && !is_one_unit(c) {
            let rest = self.0.iter().enumerate().skip(at + 1).find(|(_, symbol)| !symbol.matches_empty());
            if let Some((second, _)) = rest.filter(|(_, symbol)| symbol.is_one()) {
                reached(second + 1);
            }
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn case_variants_are_all_characters_of_the_same_case() {
        let rules = TextRules { letter_case: LetterCase::Ignored, reading: Reading::Wide };
        let (mut by_lower, mut by_upper) = (HashMap::<char, Vec<char>>::new(), HashMap::<String, Vec<char>>::new());
        // Chinese, Japanese and Korean characters have no case.
        let letters: Vec<char> =
            ('\0'..='\u{2fff}').chain('\u{a000}'..='\u{abff}').chain('\u{f900}'..='\u{ffff}').collect();
        for &c in &letters {
            by_lower.entry(lower(c)).or_default().push(c);
            by_upper.entry(c.to_uppercase().collect()).or_default().push(c);
        }
        for c in letters {
            let same = [&by_lower[&lower(c)][..], &by_upper[&c.to_uppercase().collect::<String>()]].concat();
            if same.iter().any(|x| *x != c) {
                let variants = case_variants(c);
                assert!(variants.iter().all(|x| rules.same(c, *x)), "{c} {variants:?}");
                assert!(same.iter().all(|x| variants.contains(x)), "{c} {variants:?} {same:?}");
            }
        }
    }
}
