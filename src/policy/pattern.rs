//! The patterns that policies are written in: globs, policy variables, action and resource patterns.
//!
//! Knows how a pattern's text is read. Which strings it can match together with others is
//! [`super::language`]'s; what a variable stands for is the caller's.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Action", "… Resource", "Variables and tags".

use std::fmt;

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
    pub(super) fn takes(self, c: char, ignore_case: bool) -> bool {
        match self {
            Self::Char(own) => own == c || (ignore_case && own.to_lowercase().eq(c.to_lowercase())),
            Self::One | Self::Many => true,
            Self::OneInPart | Self::ManyInPart => c != ':',
        }
    }
}

/// A pattern without variables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Glob(pub Vec<Symbol>);

impl Glob {
    /// The glob that matches just this text.
    pub fn literal(text: &str) -> Self {
        Self(text.chars().map(Symbol::Char).collect())
    }

    /// Reads `*` and `?` as wildcards and all else as text.
    pub fn new(text: &str) -> Self {
        Self(text.chars().map(symbol).collect())
    }

    /// The text, where it is the only one that the glob matches.
    pub fn as_literal(&self) -> Option<String> {
        self.0.iter().map(|symbol| if let Symbol::Char(c) = symbol { Some(*c) } else { None }).collect()
    }

    /// Whether the glob matches every text.
    pub fn is_everything(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|symbol| *symbol == Symbol::Many)
    }

    /// Whether the glob matches the whole text.
    pub fn matches(&self, text: &str, ignore_case: bool) -> bool {
        // INVARIANT: `live` holds the positions before which the text read so far may end, skippable symbols passed.
        let symbols = &self.0;
        let close = |live: &mut Vec<usize>| {
            let mut i = 0;
            while let Some(&at) = live.get(i) {
                if symbols.get(at).is_some_and(|s| s.skippable()) && !live.contains(&(at + 1)) {
                    live.push(at + 1);
                }
                i += 1;
            }
        };
        let mut live = vec![0];
        close(&mut live);
        for c in text.chars() {
            let mut next = Vec::with_capacity(live.len());
            for at in live {
                let Some(symbol) = symbols.get(at).filter(|s| s.takes(c, ignore_case)) else { continue };
                let to = if symbol.skippable() { at } else { at + 1 };
                if !next.contains(&to) {
                    next.push(to);
                }
            }
            if next.is_empty() {
                return false;
            }
            close(&mut next);
            live = next;
        }
        live.contains(&symbols.len())
    }
}

fn symbol(c: char) -> Symbol {
    match c {
        '*' => Symbol::Many,
        '?' => Symbol::One,
        c => Symbol::Char(c),
    }
}

/// A policy variable: `${key}` or `${key, 'default'}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variable {
    /// The condition key, as written.
    pub key: String,
    /// What stands in for a key that the request has not.
    pub default: Option<String>,
}

/// A piece of a pattern with variables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Token {
    /// A symbol of a glob.
    Symbol(Symbol),
    /// A variable, to be replaced by its value; the value's own `*` and `?` are text.
    Variable(Variable),
}

/// Whether `*` and `?` are wildcards (`StringLike`, resources) or text (`StringEquals`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
pub fn tokens(text: &str, variables: bool, wildcards: Wildcards) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if variables
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
fn variable(text: &str) -> Option<(Token, &str)> {
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
    Some((Token::Variable(Variable { key: key.trim().to_owned(), default }), after))
}

/// One entry of `Action` or `NotAction`.
///
/// A wildcard in the service prefix, a blank or a comma is not in the grammar of actions: whether IAM would
/// still match it is doubt, so such an entry matches under one reading and not under the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionPattern {
    text: Box<str>,
    /// Where the first colon stands.
    colon: Option<usize>,
}

/// The two readings of what the documentation leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The one under which a pattern matches more.
    Wide,
    /// The one under which a pattern matches less.
    Narrow,
}

impl Reading {
    /// The other reading, for a pattern under a negation.
    pub fn other(self) -> Self {
        match self {
            Self::Wide => Self::Narrow,
            Self::Narrow => Self::Wide,
        }
    }
}

impl ActionPattern {
    /// Reads an entry; any text is one.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), colon: text.find(':') }
    }

    /// What stands before and after the first colon.
    fn parts(&self) -> Option<(&str, &str)> {
        let colon = self.colon?;
        Some((self.text.get(..colon)?, self.text.get(colon + 1..)?))
    }

    /// Whether the entry is `*` alone, which matches every action.
    pub fn is_everything(&self) -> bool {
        &*self.text == "*"
    }

    /// The action, where the entry names a single one: `service:name`, as written.
    pub fn as_literal(&self) -> Option<&str> {
        let (service, name) = self.parts()?;
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        (plain(service) && plain(name)).then_some(&*self.text)
    }

    /// Whether the entry can only match actions of a service other than these, under any reading.
    pub fn is_of_other_service_than(&self, services: &[&str]) -> bool {
        self.parts().is_some_and(|(service, name)| {
            service.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
                && !name.contains(',')
                && !services.iter().any(|one| one.eq_ignore_ascii_case(service))
        })
    }

    /// Whether the entry matches the action; letter case does not matter.
    pub fn matches(&self, service: &str, name: &str, reading: Reading) -> bool {
        if self.is_everything() {
            return true;
        }
        if let Some((own_service, own_name)) = self.parts() {
            if own_service.eq_ignore_ascii_case(service) && !own_name.contains([' ', ',']) {
                return ascii_glob(own_name.as_bytes(), name.as_bytes());
            }
            if self.is_of_other_service_than(&[service]) {
                return false;
            }
        }
        // Outside the grammar of actions from here on.
        reading == Reading::Wide
            && self.text.split(',').any(|entry| {
                let entry: String = entry.split_whitespace().collect();
                match entry.split_once(':') {
                    Some((own_service, own_name)) => {
                        ascii_glob(own_service.as_bytes(), service.as_bytes())
                            && ascii_glob(own_name.as_bytes(), name.as_bytes())
                    }
                    None => ascii_glob(entry.as_bytes(), format!("{service}:{name}").as_bytes()),
                }
            })
    }
}

impl fmt::Display for ActionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `*` and `?` over ASCII text without regard to case: the two-pointer algorithm, linear for what policies hold.
fn ascii_glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(own) if *own == b'?' || own.eq_ignore_ascii_case(&c) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                p = after_star;
                t = from + 1;
            }
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == b'*'))
}

/// One entry of `Resource` or `NotResource`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourcePattern {
    text: Box<str>,
    variables: bool,
}

impl ResourcePattern {
    pub(super) fn new(text: &str, variables: bool) -> Self {
        Self { text: text.into(), variables }
    }

    /// Whether the entry is `*` alone, which matches every resource.
    pub fn is_everything(&self) -> bool {
        &*self.text == "*"
    }

    /// The entry's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The entry's fields, split at the colons outside of variables.
    ///
    /// Variables have meaning only in the last field. AWS's own policies also use one in the account field,
    /// which is left to the caller as doubt; elsewhere a variable is text.
    pub fn fields(&self) -> Vec<Vec<Token>> {
        let mut fields = vec![Vec::new()];
        for token in tokens(&self.text, self.variables, Wildcards::Glob) {
            match (token, fields.last_mut()) {
                (Token::Symbol(Symbol::Char(':')), _) => fields.push(Vec::new()),
                (token, Some(field)) => field.push(token),
                (_, None) => {}
            }
        }
        fields
    }
}

impl fmt::Display for ResourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
