//! Policy variables, such as `${aws:PrincipalTag/team}`, and the patterns that contain them.
//!
//! [`tokens`] splits a pattern into symbols and variables. [`resolve`] replaces the variables and makes a [`Glob`]. The
//! caller says what a variable stands for ([`Meaning`]). Both take time in proportion to the pattern and the result.
//!
//! Source: IAM User Guide, "IAM policy elements: Variables and tags"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>).

use super::context_key::ContextKey;
use super::glob::{Glob, Symbol};
use super::reading::Reading;

/// A policy variable: `${key}` or `${key, 'default'}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variable {
    /// The condition key.
    pub key: ContextKey,
    /// The value if the request does not have the key.
    pub default: Option<String>,
}

/// A symbol or a variable of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Token {
    /// A symbol of a glob.
    Symbol(Symbol),
    /// A variable, and what `*` and `?` in its value may be.
    Variable(Box<Variable>, Wildcards),
}

/// How a document reads `${…}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variables {
    /// `${…}` is text: documents of a version before 2012-10-17.
    Text,
    /// `${…}` is a variable, replaced by its value: documents of version 2012-10-17.
    Replaced,
}

/// Whether `*` and `?` are wildcards (`StringLike`, resources) or text (`StringEquals`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wildcards {
    /// `*` and `?` are text.
    Text,
    /// `*` and `?` are wildcards.
    Glob,
    /// `*` and `?` are wildcards that do not match colons.
    GlobInPart,
}

impl Wildcards {
    fn symbol(self, c: char) -> Symbol {
        match (self, c) {
            (Self::Glob, '*') => Symbol::Many,
            (Self::Glob, '?') => Symbol::One,
            (Self::GlobInPart, '*') => Symbol::ManyInPart,
            (Self::GlobInPart, '?') => Symbol::OneInPart,
            (_, c) => Symbol::Char(c),
        }
    }
}

/// Splits a pattern into symbols and variables. `${*}`, `${?}` and `${$}` are the characters `*`, `?` and `$`.
pub fn tokens(text: &str, variables: Variables, wildcards: Wildcards) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if variables == Variables::Replaced
            && c == '$'
            && let Some((variable, after)) = variable(rest, wildcards)
        {
            tokens.push(variable);
            rest = after;
            continue;
        }
        tokens.push(Token::Symbol(wildcards.symbol(c)));
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    tokens
}

/// The variable at the start of the text, and the text after it. A `${` without `}` is text.
pub(super) fn variable(text: &str, wildcards: Wildcards) -> Option<(Token, &str)> {
    let (inside, after) = text.strip_prefix("${")?.split_once('}')?;
    if let ("*" | "?" | "$", Some(c)) = (inside, inside.chars().next()) {
        return Some((Token::Symbol(Symbol::Char(c)), after));
    }
    let (key, default) = match inside.split_once(',') {
        Some((key, default)) => {
            let default = default.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            (key, Some(default.to_owned()))
        }
        None => (inside, None),
    };
    let variable = Variable { key: ContextKey::new(key.trim()), default };
    Some((Token::Variable(Box::new(variable), wildcards), after))
}

/// What a variable stands for, given by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// This text.
    Text(String),
    /// The request does not have the key.
    Absent,
    /// Any text: the caller does not fix the value.
    Anything,
    /// Any text that matches this glob: the caller does not fix the value.
    Like(Glob),
    /// The same value as the one that the pattern is compared with.
    Itself,
}

/// Replaces the variables of a pattern. `None` if the pattern then matches nothing:
///
/// - A variable has neither a value nor a default.
/// - A variable may be any text, and the reading is narrow.
/// - The pattern has the compared value in it and at least one more character. No value is longer than itself.
///
/// AWS does not document whether `*` and `?` in a variable's value or default are wildcards. They are in the wide reading,
/// and text in the narrow one.
pub fn resolve(pattern: &[Token], reading: Reading, meaning: &dyn Fn(&Variable) -> Meaning) -> Option<Glob> {
    let of_value = |text: &str, wildcards: Wildcards| -> Vec<Symbol> {
        let wildcards = if reading == Reading::Wide { wildcards } else { Wildcards::Text };
        text.chars().map(|c| wildcards.symbol(c)).collect()
    };
    let mut symbols = Vec::with_capacity(pattern.len());
    let mut itself = 0;
    for token in pattern {
        match token {
            Token::Symbol(symbol) => symbols.push(*symbol),
            Token::Variable(variable, wildcards) => match (meaning(variable), reading) {
                (Meaning::Text(text), _) => symbols.extend(of_value(&text, *wildcards)),
                (Meaning::Absent, _) => symbols.extend(of_value(variable.default.as_ref()?, *wildcards)),
                (Meaning::Anything, Reading::Wide) => symbols.push(Symbol::Many),
                (Meaning::Like(glob), Reading::Wide) => symbols.extend(glob.0),
                (Meaning::Anything | Meaning::Like(_), Reading::Narrow) => return None,
                (Meaning::Itself, _) => itself += 1,
            },
        }
    }
    // The compared value once matches every value. Twice it matches only the empty one.
    match itself {
        0 => Some(Glob(symbols)),
        _ if !symbols.iter().all(|symbol| symbol.matches_empty()) => None,
        1 => Some(Glob(vec![Symbol::Many])),
        _ => Some(Glob::default()),
    }
}
