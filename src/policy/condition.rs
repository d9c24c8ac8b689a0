//! The condition block of a statement: operators, keys and the values listed.
//!
//! Knows the operators as a table. Which value a key has, or may have, is not its business: it turns a
//! condition into a [`Requirement`] on the key, given what the variables in the listed values stand for.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Single-valued vs. multivalued
//! context keys".

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::comparison::{Comparison, Network, Texts, listed_instants, number};
use super::context_key::ContextKey;
use super::glob::{Glob, LetterCase, Symbol};
use super::json::{DocumentError, Json, Path, members};
use super::operator::{Family, Operator, Quantifier};
use super::reading::Reading;
use super::requirement::{IfPresent, Requirement};
use super::variable::{Meaning, Token, Variable, Variables, Wildcards, resolve, tokens};

/// One operator on one key of a condition block.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// The operator's name, as written.
    operator_name: Box<str>,
    /// The condition key.
    pub key: ContextKey,
    /// The values listed, as text.
    values: Vec<String>,
    /// How `${…}` in the values is read.
    variables: Variables,
    /// The parsed operator. `None` for one that IAM does not document.
    operator: Option<Operator>,
}

impl Condition {
    pub(super) fn read_block(
        path: &Path<'_>,
        block: &Json<'_>,
        variables: Variables,
    ) -> Result<Vec<Self>, DocumentError> {
        let mut conditions = Vec::new();
        for (operator_name, keys) in members(path, block)? {
            let here = Path::Member(path, operator_name);
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
                let operator = Operator::parse(operator_name);
                let (operator_name, key) = (operator_name.into(), ContextKey::new(key));
                conditions.push(Self { operator_name, key, values, variables, operator });
            }
        }
        conditions.sort_unstable();
        Ok(conditions)
    }

    /// Whether both readings see the condition alike in every request, as they do the text operators on a key of one
    /// value; so it holds here where the same one holds there.
    pub fn is_plain(&self) -> bool {
        !self.values.is_empty()
            && matches!(
                self.operator,
                Some(Operator { quantifier: Quantifier::Value, family: Family::Text { .. }, .. })
            )
    }

    /// Whether it may hold of ARNs only: so does a negated ARN operator in the reading in which it matches less.
    pub fn holds_for_arns_only(&self, reading: Reading) -> bool {
        reading == Reading::Narrow && matches!(self.operator, Some(Operator { family: Family::Arn, negated: true, .. }))
    }

    /// The listed values that are plain text.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(String::as_str).filter(|value| !value.contains(['*', '?', '$']))
    }

    /// How many values are listed.
    pub fn value_count(&self) -> usize {
        self.values.len()
    }

    /// Whether the operator compares letters with their case.
    pub fn letter_case(&self) -> LetterCase {
        match self.operator {
            Some(Operator { family: Family::Text { letter_case, .. }, .. }) => letter_case,
            _ => LetterCase::Exact,
        }
    }

    /// The keys of the variables in the listed values.
    pub fn variables(&self) -> impl Iterator<Item = ContextKey> {
        let takes_variables = self.variables == Variables::Replaced
            && matches!(self.operator, Some(Operator { family: Family::Text { .. } | Family::Arn, .. }));
        let values = if takes_variables { self.values.as_slice() } else { &[] };
        let with_variables = values.iter().filter(|value| value.contains("${"));
        with_variables.flat_map(|value| tokens(value, Variables::Replaced, Wildcards::Text)).filter_map(|token| {
            match token {
                Token::Variable(variable) => Some(variable.key),
                Token::Symbol(_) => None,
            }
        })
    }

    /// What the condition asks of its key, under the reading in which it holds more or less often; `None`
    /// for an operator that IAM does not document, of which it is doubt what it asks.
    pub fn requirement(&self, reading: Reading, meaning: &dyn Fn(&Variable) -> Meaning) -> Option<Requirement> {
        let Operator { quantifier, family, negated, if_exists } = self.operator?;
        // A variable that may be anything makes a positive comparison match more and a negated one less.
        let texts = if negated { reading.other() } else { reading };
        // Whether a negated operator holds that lists nothing, or what it cannot read, is doubt.
        let mut unlisted = self.values.is_empty();
        // So is whether it holds of a value of the request that it cannot read.
        let matches_unreadable = negated && reading == Reading::Narrow;
        let comparison = match family {
            Family::Text { wildcards, letter_case } => {
                let globs = self.globs(|value| self.glob(value, wildcards, texts, meaning));
                Comparison::Text(Texts::new(globs, letter_case))
            }
            Family::Arn => {
                let globs: Vec<Vec<Glob>> =
                    self.values.iter().map(|value| self.arn_globs(value, texts, meaning, &mut unlisted)).collect();
                let globs = globs.into_iter().flatten().collect();
                Comparison::Text(Texts::new(globs, LetterCase::Exact))
            }
            Family::Binary => {
                // The listed value is the base64 form of what the key's bytes have to be.
                let bytes = |value: &str| String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok();
                Comparison::Text(Texts::new(self.globs(|value| Some(Glob::literal(&bytes(value)?))), LetterCase::Exact))
            }
            Family::Bool => {
                // `True` may or may not be read as `true`.
                let read = |value: &str| match value.to_ascii_lowercase().as_str() {
                    lower @ ("true" | "false") if lower == value || texts == Reading::Wide => {
                        Some(Glob::literal(lower))
                    }
                    _ => None,
                };
                Comparison::Text(Texts::new(self.globs(read), LetterCase::Exact))
            }
            Family::Number(order) => Comparison::Number {
                order,
                numbers: self.readable(number, &mut unlisted),
                instants: false,
                matches_unreadable,
            },
            Family::Instant(order) => {
                let read = |value: &str| Some(listed_instants(value, order, texts)).filter(|read| !read.is_empty());
                let numbers = self.readable(read, &mut unlisted).concat();
                Comparison::Number { order, numbers, instants: true, matches_unreadable }
            }
            Family::Address => {
                Comparison::Networks { networks: self.readable(Network::parse, &mut unlisted), matches_unreadable }
            }
            Family::Null => {
                let holds = |text: &str| self.values.iter().any(|value| value.eq_ignore_ascii_case(text));
                return Some(Requirement { if_absent: holds("true"), if_present: IfPresent::Holds(holds("false")) });
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
            IfPresent::Holds(false)
        } else {
            IfPresent::Values { quantifier, comparison: Arc::new(comparison), positive: !negated }
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

fn value(path: &Path<'_>, json: &Json<'_>) -> Result<String, DocumentError> {
    match json {
        Json::String(text) => Ok(text.to_string()),
        Json::Number(text) => Ok(text.clone()),
        Json::Bool(value) => Ok(value.to_string()),
        other => Err(path.error(format!("expected a string, a number or a boolean, found {}", other.kind()))),
    }
}
