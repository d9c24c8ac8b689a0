//! Policy variables, such as `${aws:PrincipalTag/team}`, and the patterns that contain them.
//!
//! [`tokens`] splits a pattern, and [`resolve`] replaces its variables. What a variable stands for is the caller's.
//!
//! Source: IAM User Guide, "IAM policy elements: Variables and tags".

use super::context_key::ContextKey;
use super::glob::{Glob, Symbol};
use super::reading::Reading;

/// A policy variable: `${key}` or `${key, 'default'}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variable {
    /// The condition key.
    pub key: ContextKey,
    /// What stands in for a key that the request has not.
    pub default: Option<String>,
}

/// A piece of a pattern with variables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Token {
    /// A symbol of a glob.
    Symbol(Symbol),
    /// A variable, to be replaced by its value; the value's own `*` and `?` are text.
    Variable(Box<Variable>),
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

/// Splits a pattern's text into symbols and, where `variables` have meaning, variables. `${*}`, `${?}` and
/// `${$}` are these characters themselves.
pub fn tokens(text: &str, variables: Variables, wildcards: Wildcards) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if variables == Variables::Replaced
            && c == '$'
            && let Some((variable, after)) = variable(rest)
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

/// A variable at the start of the text, and what follows it. A `${` that nothing closes is text.
pub(super) fn variable(text: &str) -> Option<(Token, &str)> {
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
    Some((Token::Variable(Box::new(Variable { key: ContextKey::new(key.trim()), default })), after))
}

/// What a variable stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// This text.
    Text(String),
    /// The request has not the key.
    Absent,
    /// Any text at all, as far as the caller wants to know.
    Anything,
    /// Any text of this form, as far as the caller wants to know.
    Like(Glob),
    /// The very value that the condition compares.
    Itself,
}

/// Puts the values of variables into a pattern. `None` where the pattern matches nothing: a variable without
/// value and default, or, under the narrow reading, one that may be anything; or the very value that is compared, with
/// more beside it.
pub fn resolve(pattern: &[Token], reading: Reading, meaning: &dyn Fn(&Variable) -> Meaning) -> Option<Glob> {
    let mut symbols = Vec::with_capacity(pattern.len());
    let mut itself = 0;
    for token in pattern {
        match token {
            Token::Symbol(symbol) => symbols.push(*symbol),
            Token::Variable(variable) => match (meaning(variable), reading) {
                (Meaning::Text(text), _) => symbols.extend(text.chars().map(Symbol::Char)),
                (Meaning::Absent, _) => symbols.extend(variable.default.as_ref()?.chars().map(Symbol::Char)),
                (Meaning::Anything, Reading::Wide) => symbols.push(Symbol::Many),
                (Meaning::Like(glob), Reading::Wide) => symbols.extend(glob.0),
                (Meaning::Anything | Meaning::Like(_), Reading::Narrow) => return None,
                (Meaning::Itself, _) => itself += 1,
            },
        }
    }
    // A value is never longer than itself; twice itself it is where it is empty.
    match itself {
        0 => Some(Glob(symbols)),
        _ if !symbols.iter().all(|symbol| symbol.skippable()) => None,
        1 => Some(Glob(vec![Symbol::Many])),
        _ => Some(Glob::default()),
    }
}
