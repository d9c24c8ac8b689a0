//! The condition block of a statement: operators, keys and the values listed.
//!
//! Knows the operators as a table. Which value a key has, or may have, is not its business: it turns a
//! condition into a [`Requirement`] on the key, given what the variables in the listed values stand for.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Single-valued vs. multivalued
//! context keys".

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::budget::Budget;
use super::comparison::{Comparison, Network, Order, Texts, listed_instants, number};
use super::context_key::ContextKey;
use super::json::{DocumentError, Json, Path, members};
use super::pattern::{Glob, Symbol, Token, Variable, Wildcards, tokens};
use super::reading::Reading;

/// One operator on one key of a condition block.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// The operator, as written.
    operator: Box<str>,
    /// The condition key.
    pub key: ContextKey,
    /// The values listed, as text.
    values: Vec<String>,
    /// Whether policy variables have meaning in the document.
    variables: bool,
}

/// What a condition asks of its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// Whether the condition holds where the request has not the key.
    pub if_absent: bool,
    /// What it asks of the value or values of a key that the request has.
    pub if_present: Ask,
}

impl Requirement {
    /// The requirement that holds just where this one does not.
    pub fn negated(self) -> Self {
        let if_present = match self.if_present {
            Ask::Presence(holds) => Ask::Presence(!holds),
            Ask::Values { quantifier, comparison, positive } => {
                let quantifier = match quantifier {
                    Quantifier::Value => Quantifier::Value,
                    Quantifier::Any => Quantifier::All,
                    Quantifier::All => Quantifier::Any,
                };
                Ask::Values { quantifier, comparison, positive: !positive }
            }
        };
        Self { if_absent: !self.if_absent, if_present }
    }

    /// That the value or values are ARNs.
    #[must_use]
    pub fn of_arns(&self) -> Self {
        let if_present = match &self.if_present {
            Ask::Presence(holds) => Ask::Presence(*holds),
            Ask::Values { quantifier, .. } => {
                let comparison = Arc::new(Comparison::Text(Texts::new(vec![Glob::arn()], false)));
                Ask::Values { quantifier: *quantifier, comparison, positive: true }
            }
        };
        Self { if_absent: self.if_absent, if_present }
    }

    /// Whether it comes of a set operator.
    pub fn of_set(&self) -> bool {
        matches!(self.if_present, Ask::Values { quantifier: Quantifier::Any | Quantifier::All, .. })
    }

    /// Whether it holds of a key with these values, none if the request has not the key; at the budget's cost.
    pub fn holds(&self, values: Option<&[String]>, budget: &Budget) -> bool {
        let Some(values) = values else { return self.if_absent };
        match &self.if_present {
            Ask::Presence(holds) => *holds,
            Ask::Values { quantifier, comparison, positive } => {
                let as_asked = |value: &String| comparison.matches(value, budget) == *positive;
                match quantifier {
                    Quantifier::Any => values.iter().any(as_asked),
                    Quantifier::All | Quantifier::Value => values.iter().all(as_asked),
                }
            }
        }
    }
}

/// What a condition asks of a key that is present.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Nothing more (`Null`): holds or not.
    Presence(bool),
    /// That the comparison comes out as `positive` for the values that `quantifier` says.
    Values {
        /// For which of the key's values.
        quantifier: Quantifier,
        /// With what.
        comparison: Arc<Comparison>,
        /// Whether it has to match (`StringEquals`) or must not (`StringNotEquals`).
        positive: bool,
    },
}

/// For which of a key's values a comparison has to come out as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// No set operator: the key's one value.
    Value,
    /// `ForAnyValue`: at least one.
    Any,
    /// `ForAllValues`: every one.
    All,
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

/// The kind of comparison an operator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Text { wildcards: Wildcards, ignore_case: bool },
    Arn,
    Number(Order),
    Instant(Order),
    Bool,
    Binary,
    Address,
    Null,
}

/// Name without prefix and suffix, family, whether it is a negated operator.
const OPERATORS: &[(&str, Family, bool)] = {
    const EXACT: Family = Family::Text { wildcards: Wildcards::Text, ignore_case: false };
    const FOLDED: Family = Family::Text { wildcards: Wildcards::Text, ignore_case: true };
    const LIKE: Family = Family::Text { wildcards: Wildcards::Glob, ignore_case: false };
    &[
        ("StringEquals", EXACT, false),
        ("StringNotEquals", EXACT, true),
        ("StringEqualsIgnoreCase", FOLDED, false),
        ("StringNotEqualsIgnoreCase", FOLDED, true),
        ("StringLike", LIKE, false),
        ("StringNotLike", LIKE, true),
        ("ArnEquals", Family::Arn, false),
        ("ArnNotEquals", Family::Arn, true),
        ("ArnLike", Family::Arn, false),
        ("ArnNotLike", Family::Arn, true),
        ("NumericEquals", Family::Number(Order::Equal), false),
        ("NumericNotEquals", Family::Number(Order::Equal), true),
        ("NumericLessThan", Family::Number(Order::Less), false),
        ("NumericLessThanEquals", Family::Number(Order::LessOrEqual), false),
        ("NumericGreaterThan", Family::Number(Order::Greater), false),
        ("NumericGreaterThanEquals", Family::Number(Order::GreaterOrEqual), false),
        ("DateEquals", Family::Instant(Order::Equal), false),
        ("DateNotEquals", Family::Instant(Order::Equal), true),
        ("DateLessThan", Family::Instant(Order::Less), false),
        ("DateLessThanEquals", Family::Instant(Order::LessOrEqual), false),
        ("DateGreaterThan", Family::Instant(Order::Greater), false),
        ("DateGreaterThanEquals", Family::Instant(Order::GreaterOrEqual), false),
        ("Bool", Family::Bool, false),
        ("BinaryEquals", Family::Binary, false),
        ("IpAddress", Family::Address, false),
        ("NotIpAddress", Family::Address, true),
        ("Null", Family::Null, false),
    ]
};

impl Condition {
    pub(super) fn read_block(path: &Path<'_>, block: &Json<'_>, variables: bool) -> Result<Vec<Self>, DocumentError> {
        let mut conditions = Vec::new();
        for (operator, keys) in members(path, block)? {
            let here = Path::Member(path, operator);
            for (key, listed) in members(&here, keys)? {
                let here = Path::Member(&here, key);
                let mut values = match listed {
                    Json::List(items) => items
                        .iter()
                        .enumerate()
                        .map(|(i, item)| value(&Path::Item(&here, i), item))
                        .collect::<Result<Vec<_>, _>>()?,
                    one => vec![value(&here, one)?],
                };
                values.sort_unstable();
                conditions.push(Self { operator: operator.into(), key: ContextKey::new(key), values, variables });
            }
        }
        conditions.sort_unstable();
        Ok(conditions)
    }

    /// Whether both readings see the condition alike in every request, as they do the text operators on a key of one
    /// value; so it holds here where the same one holds there.
    pub fn is_plain(&self) -> bool {
        !self.values.is_empty() && matches!(self.parse_operator(), Some((Quantifier::Value, Family::Text { .. }, _, _)))
    }

    /// Whether it may hold of ARNs only: so does a negated ARN operator in the reading in which it matches less.
    pub fn asks_for_arns(&self, reading: Reading) -> bool {
        reading == Reading::Narrow && matches!(self.parse_operator(), Some((_, Family::Arn, true, _)))
    }

    /// The listed values that are plain text.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(String::as_str).filter(|value| !value.contains(['*', '?', '$']))
    }

    /// How many values are listed.
    pub fn listed(&self) -> usize {
        self.values.len()
    }

    /// Whether the operator compares text without regard to case.
    pub fn ignores_case(&self) -> bool {
        matches!(self.parse_operator(), Some((_, Family::Text { ignore_case: true, .. }, _, _)))
    }

    /// The keys of the variables in the listed values.
    pub fn variables(&self) -> impl Iterator<Item = ContextKey> {
        let takes_variables =
            self.variables && matches!(self.parse_operator(), Some((_, Family::Text { .. } | Family::Arn, _, _)));
        let values = if takes_variables { self.values.as_slice() } else { &[] };
        let with_variables = values.iter().filter(|value| value.contains("${"));
        with_variables.flat_map(|value| tokens(value, true, Wildcards::Text)).filter_map(|token| match token {
            Token::Variable(variable) => Some(variable.key),
            Token::Symbol(_) => None,
        })
    }

    /// The operator's quantifier, family, negation and `IfExists`; `None` for one that IAM does not document.
    fn parse_operator(&self) -> Option<(Quantifier, Family, bool, bool)> {
        let (quantifier, name) = match self.operator.split_once(':') {
            Some(("ForAnyValue", name)) => (Quantifier::Any, name),
            Some(("ForAllValues", name)) => (Quantifier::All, name),
            Some(_) => return None,
            None => (Quantifier::Value, &*self.operator),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (_, family, negated) = OPERATORS.iter().find(|(known, _, _)| *known == name)?;
        // `Null` tests presence only and takes neither prefix nor suffix.
        if *family == Family::Null && (if_exists || quantifier != Quantifier::Value) {
            return None;
        }
        Some((quantifier, *family, *negated, if_exists))
    }

    /// What the condition asks of its key, under the reading in which it holds more or less often; `None`
    /// for an operator that IAM does not document, of which it is doubt what it asks.
    pub fn requirement(&self, reading: Reading, meaning: &dyn Fn(&Variable) -> Meaning) -> Option<Requirement> {
        let (quantifier, family, negated, if_exists) = self.parse_operator()?;
        // A variable that may be anything makes a positive comparison match more and a negated one less.
        let texts = if negated { reading.other() } else { reading };
        // Whether a negated operator holds that lists nothing, or what it cannot read, is doubt.
        let mut unlisted = self.values.is_empty();
        // So is whether it holds of a value of the request that it cannot read.
        let unread = negated && reading == Reading::Narrow;
        let comparison = match family {
            Family::Text { wildcards, ignore_case } => {
                let globs = self.globs(|value| self.glob(value, wildcards, texts, meaning));
                Comparison::Text(Texts::new(globs, ignore_case))
            }
            Family::Arn => {
                let globs: Vec<Vec<Glob>> =
                    self.values.iter().map(|value| self.arn_globs(value, texts, meaning, &mut unlisted)).collect();
                let globs = globs.into_iter().flatten().collect();
                Comparison::Text(Texts::new(globs, false))
            }
            Family::Binary => {
                // The listed value is the base64 form of what the key's bytes have to be.
                let bytes = |value: &str| String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok();
                Comparison::Text(Texts::new(self.globs(|value| Some(Glob::literal(&bytes(value)?))), false))
            }
            Family::Bool => {
                // `True` may or may not be read as `true`.
                let read = |value: &str| match value.to_ascii_lowercase().as_str() {
                    lower @ ("true" | "false") if lower == value || texts == Reading::Wide => {
                        Some(Glob::literal(lower))
                    }
                    _ => None,
                };
                Comparison::Text(Texts::new(self.globs(read), false))
            }
            Family::Number(order) => {
                Comparison::Number { order, numbers: self.readable(number, &mut unlisted), instants: false, unread }
            }
            Family::Instant(order) => {
                let read = |value: &str| Some(listed_instants(value, order, texts)).filter(|read| !read.is_empty());
                let numbers = self.readable(read, &mut unlisted).concat();
                Comparison::Number { order, numbers, instants: true, unread }
            }
            Family::Address => Comparison::Networks { networks: self.readable(Network::parse, &mut unlisted), unread },
            Family::Null => {
                let holds = |text: &str| self.values.iter().any(|value| value.eq_ignore_ascii_case(text));
                return Some(Requirement { if_absent: holds("true"), if_present: Ask::Presence(holds("false")) });
            }
        };
        let if_absent = match quantifier {
            _ if if_exists => true,
            Quantifier::All => true,
            // "Returns false if there is no value", and negated operators return true: two readings.
            Quantifier::Any => negated && reading == Reading::Wide,
            Quantifier::Value => negated,
        };
        let if_present = if negated && unlisted && reading == Reading::Narrow {
            Ask::Presence(false)
        } else {
            Ask::Values { quantifier, comparison: Arc::new(comparison), positive: !negated }
        };
        Some(Requirement { if_absent, if_present })
    }

    fn globs(&self, read: impl Fn(&str) -> Option<Glob>) -> Vec<Glob> {
        self.values.iter().filter_map(|value| read(value)).collect()
    }

    /// The glob of a listed value; `None` where a variable in it keeps it from matching anything.
    fn glob(
        &self,
        value: &str,
        wildcards: Wildcards,
        texts: Reading,
        meaning: &dyn Fn(&Variable) -> Meaning,
    ) -> Option<Glob> {
        resolve(&tokens(value, self.variables, wildcards), texts, meaning)
    }

    /// The listed values as their operator reads them; one that it cannot read matches nothing.
    fn readable<T>(&self, read: impl Fn(&str) -> Option<T>, unlisted: &mut bool) -> Vec<T> {
        let read: Vec<T> = self.values.iter().filter_map(|value| read(value)).collect();
        *unlisted |= read.len() < self.values.len();
        read
    }

    /// ARN operators compare six parts one by one; the last one may hold colons. What they make of a pattern that
    /// has not six parts is not documented: it may be completed, be compared as a whole, or match nothing.
    fn arn_globs(
        &self,
        value: &str,
        texts: Reading,
        meaning: &dyn Fn(&Variable) -> Meaning,
        unlisted: &mut bool,
    ) -> Vec<Glob> {
        let mut colons = 0;
        let parted: Vec<Token> = tokens(value, self.variables, Wildcards::GlobInPart)
            .into_iter()
            .map(|token| {
                let last = colons >= 5;
                match token {
                    Token::Symbol(Symbol::Char(':')) => {
                        colons += 1;
                        token
                    }
                    Token::Symbol(Symbol::ManyInPart) if last => Token::Symbol(Symbol::Many),
                    Token::Symbol(Symbol::OneInPart) if last => Token::Symbol(Symbol::One),
                    other => other,
                }
            })
            .collect();
        let lone_variable = matches!(parted.as_slice(), [Token::Variable(_)]);
        if colons >= 5 || lone_variable {
            let glob = resolve(&parted, texts, meaning);
            let parts = |glob: &Glob| 1 + glob.0.iter().filter(|symbol| **symbol == Symbol::Char(':')).count();
            *unlisted |= lone_variable && glob.as_ref().is_some_and(|glob| glob.is_literal() && parts(glob) < 6);
            return glob.into_iter().collect();
        }
        *unlisted = true;
        if texts == Reading::Narrow {
            return Vec::new();
        }
        let mut completed = parted;
        for missing in (colons..5).rev() {
            completed.push(Token::Symbol(Symbol::Char(':')));
            completed.push(Token::Symbol(if missing == colons { Symbol::Many } else { Symbol::ManyInPart }));
        }
        let whole = tokens(value, self.variables, Wildcards::Glob);
        [completed, whole].iter().filter_map(|pattern| resolve(pattern, texts, meaning)).collect()
    }
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

fn value(path: &Path<'_>, json: &Json<'_>) -> Result<String, DocumentError> {
    match json {
        Json::String(text) => Ok(text.to_string()),
        Json::Number(text) => Ok(text.clone()),
        Json::Bool(value) => Ok(value.to_string()),
        other => Err(path.error(format!("expected a string, a number or a boolean, found {}", other.kind()))),
    }
}
