//! The patterns that policies are written in: globs, policy variables, action and resource patterns.
//!
//! Knows how a pattern's text is read. Which strings it can match together with others is
//! [`super::language`]'s; what a variable stands for is the caller's.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Action", "… Resource", "Variables and tags".

use std::cmp::Ordering;
use std::fmt;

use super::context_key::ContextKey;
use super::reading::Reading;

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

    /// Whether the glob matches the whole text.
    pub fn matches(&self, text: &str, ignore_case: bool) -> bool {
        self.matches_in_steps(text, ignore_case, &mut 0)
    }

    /// Whether the glob matches the whole text; adds the steps that it took, one for about each symbol tried.
    ///
    /// Goes back to the last `*` alone when nothing else helps: what stands before it matched as early as it could,
    /// which leaves the most for the rest. A `*` that stops at colons may run out; then the last one that does not
    /// stop there has its turn.
    pub(super) fn matches_in_steps(&self, text: &str, ignore_case: bool, steps: &mut usize) -> bool {
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
                    if ahead.next().is_some_and(|c| symbol.takes(c, ignore_case)) {
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
    Some((Token::Variable(Box::new(Variable { key: ContextKey::new(key.trim()), default })), after))
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
    grammatical: bool,
}

impl ActionPattern {
    /// Reads an entry; any text is one.
    pub fn new(text: &str) -> Self {
        let plain = |service: &str| service.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        let parts = text.split_once(':');
        let odd = |c: char| c == ',' || c.is_whitespace();
        let grammatical = parts.is_some_and(|(service, name)| plain(service) && !name.contains(odd));
        Self {
            text: text.into(),
            colon: parts.map(|(service, _)| service.len()),
            grammatical: grammatical || text == "*",
        }
    }

    /// Whether the entry is in the grammar, so that both readings see it alike.
    pub fn is_grammatical(&self) -> bool {
        self.grammatical
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
            (self.grammatical
                || (service.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') && !name.contains(',')))
                && !services.iter().any(|one| one.eq_ignore_ascii_case(service))
        })
    }

    /// Whether the entry matches the action; letter case does not matter.
    pub fn matches(&self, service: &str, name: &str, reading: Reading) -> bool {
        if self.is_everything() {
            return true;
        }
        if let Some((own_service, own_name)) = self.parts() {
            if self.grammatical {
                return own_service.eq_ignore_ascii_case(service) && ascii_glob(own_name.as_bytes(), name.as_bytes());
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
            Some(b'*') if pattern.len() == p + 1 => return true,
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

    /// Whether the entry can only match resources of a service other than this one, under any reading.
    pub fn is_of_other_service_than(&self, service: &str) -> bool {
        let mut fields = self.text.split(':');
        let plain = |field: &&str| !field.contains(['*', '?', '$']);
        let mut next = || fields.next().filter(plain);
        let (Some(_), Some(_), Some(own)) = (next(), next(), next()) else { return false };
        own != service
    }

    /// The entry's fields, split at the colons outside of variables.
    pub fn fields(&self) -> Vec<&str> {
        if !self.has_variables() {
            return self.text.split(':').collect();
        }
        let (mut fields, mut field, mut rest) = (Vec::new(), &*self.text, &*self.text);
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            if c == ':' {
                fields.push(field.get(..field.len() - rest.len()).unwrap_or_default());
                field = after;
            }
            rest = if c == '$' { variable(rest).map_or(after, |(_, after)| after) } else { after };
        }
        fields.push(field);
        fields
    }

    /// The variables in the entry.
    pub fn variables(&self) -> impl Iterator<Item = Variable> {
        let tokens = if self.has_variables() { self.tokens_of(&self.text) } else { Vec::new() };
        tokens
            .into_iter()
            .filter_map(|token| if let Token::Variable(variable) = token { Some(*variable) } else { None })
    }

    /// Whether there are variables in the entry, or what else has meaning only where they do.
    pub fn has_variables(&self) -> bool {
        self.variables && self.text.contains("${")
    }

    /// The symbols and variables of one of the fields.
    pub fn tokens_of(&self, field: &str) -> Vec<Token> {
        tokens(field, self.variables, Wildcards::Glob)
    }
}

impl fmt::Display for ResourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
