//! The condition block of a statement: operators, keys and values.
//!
//! [`Condition::requirement`] translates a condition into a [`Requirement`] on its key. The caller says what the policy
//! variables in the values stand for. This module does not know which values a key can have.
//!
//! Cost: a translation reads the text of all values once, replaces the variables, and sorts the results.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Condition operators"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>) and
//! "Single-valued vs. multivalued context keys"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>).

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::comparison::{Comparison, Network, Texts, number, policy_instants};
use super::context_key::ContextKey;
use super::glob::{Glob, LetterCase, Symbol};
use super::json::{DocumentError, Json, Path, members};
use super::operator::{Family, Operator, Quantifier};
use super::reading::Reading;
use super::requirement::{IfPresent, Requirement};
use super::variable::{Meaning, Token, Variable, Variables, Wildcards, resolve, tokens};

/// One operator applied to one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// The operator as written; the first criterion when conditions are sorted.
    operator_name: Box<str>,
    /// The condition key.
    pub key: ContextKey,
    /// The values, as text, sorted.
    values: Vec<String>,
    /// How `${…}` in the values is read.
    variables: Variables,
    /// The parsed operator. `None` for one that IAM does not document.
    operator: Option<Operator>,
}

impl Condition {
    /// Reads a condition block. An operator that IAM does not document is not an error: see [`Condition::requirement`].
    ///
    /// # Errors
    /// The block or an operator in it is not an object, a name appears twice, or a value is not a string, a number or a
    /// boolean.
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
                        .map(|(i, item)| read_value(&Path::Item(&here, i), item))
                        .collect::<Result<Vec<_>, _>>()?,
                    one => vec![read_value(&here, one)?],
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

    /// Whether the condition has the same meaning in both readings, for every request. This is so for text operators
    /// without a set prefix, on a key with a single value.
    pub fn is_plain(&self) -> bool {
        !self.values.is_empty()
            && matches!(
                self.operator,
                Some(Operator { quantifier: Quantifier::Value, family: Family::Text { .. }, .. })
            )
    }

    /// Whether the condition holds for ARNs only. In the narrow reading a negated ARN operator does not hold for a value
    /// that is not an ARN.
    pub fn holds_for_arns_only(&self, reading: Reading) -> bool {
        reading == Reading::Narrow && matches!(self.operator, Some(Operator { family: Family::Arn, negated: true, .. }))
    }

    /// The values as text.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// The values without wildcards and variables.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(String::as_str).filter(|value| !value.contains(['*', '?', '$']))
    }

    /// The number of values.
    pub fn value_count(&self) -> usize {
        self.values.len()
    }

    /// Whether the case of letters matters to the operator.
    pub fn letter_case(&self) -> LetterCase {
        match self.operator {
            Some(Operator { family: Family::Text { letter_case, .. }, .. }) => letter_case,
            _ => LetterCase::Exact,
        }
    }

    /// The keys of the variables in the values.
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

    /// Translates the condition. `meaning` says what a variable in the values stands for.
    ///
    /// `None` for an operator that IAM does not document. Nothing is known then: in the wide reading such a condition
    /// holds, in the narrow one it does not.
    pub fn requirement(&self, reading: Reading, meaning: &dyn Fn(&Variable) -> Meaning) -> Option<Requirement> {
        let Operator { quantifier, family, negated, if_exists } = self.operator?;
        // A negated operator holds more often if its values match less.
        let inner = if negated { reading.other() } else { reading };
        // It is not documented whether a negated operator holds if it has no values, or values that it cannot read.
        let mut doubtful = self.values.is_empty();
        // Nor is it for a value of the request that it cannot read, such as text where a number is expected.
        let matches_unreadable = negated && reading == Reading::Narrow;
        let is_true = |value: &String| value.eq_ignore_ascii_case("true");
        let (asks_true, asks_false) = (self.values.iter().any(is_true), !self.values.iter().all(is_true));
        let mut positive = !negated;
        let comparison = match family {
            Family::Text { wildcards, letter_case } => {
                let globs = self.globs(|value| self.glob(value, wildcards, inner, meaning));
                Comparison::Text(Texts::new(globs, letter_case))
            }
            Family::Arn => {
                let globs: Vec<Vec<Glob>> =
                    self.values.iter().map(|value| self.arn_globs(value, inner, meaning, &mut doubtful)).collect();
                let globs = globs.into_iter().flatten().collect();
                Comparison::Text(Texts::new(globs, LetterCase::Exact))
            }
            Family::Binary => {
                // The policy has the bytes in base64.
                let bytes = |value: &str| String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok();
                Comparison::Text(Texts::new(self.globs(|value| Some(Glob::literal(&bytes(value)?))), LetterCase::Exact))
            }
            Family::Number(order) => Comparison::Number {
                order,
                numbers: self.readable(number, &mut doubtful),
                instants: false,
                matches_unreadable,
            },
            Family::Instant(order) => {
                let read = |value: &str| Some(policy_instants(value, order, inner)).filter(|read| !read.is_empty());
                let numbers = self.readable(read, &mut doubtful).concat();
                Comparison::Number { order, numbers, instants: true, matches_unreadable }
            }
            Family::Address => {
                Comparison::Networks { networks: self.readable(Network::parse, &mut doubtful), matches_unreadable }
            }
            // Text that equals `true` in any letter case is true. Any other text is false, in the request too.
            Family::Bool => {
                positive = asks_true || !asks_false;
                let globs = match (asks_true, asks_false) {
                    (true, true) => vec![Glob::new("*")],
                    (false, false) => Vec::new(),
                    _ => vec![Glob::literal("true")],
                };
                Comparison::Text(Texts::new(globs, LetterCase::Ignored))
            }
            // Whether it is true that the key is missing.
            Family::Null => {
                return Some(Requirement { if_absent: asks_true, if_present: IfPresent::Holds(asks_false) });
            }
        };
        let if_absent = match quantifier {
            _ if if_exists => true,
            Quantifier::All => true,
            Quantifier::Any => false,
            Quantifier::Value => negated,
        };
        let if_present = if negated && doubtful && reading == Reading::Narrow {
            IfPresent::Holds(false)
        } else {
            IfPresent::Values { quantifier, comparison: Arc::new(comparison), positive }
        };
        Some(Requirement { if_absent, if_present })
    }

    /// The globs of the values. A value that cannot be read matches nothing.
    fn globs(&self, read: impl Fn(&str) -> Option<Glob>) -> Vec<Glob> {
        self.values.iter().filter_map(|value| read(value)).collect()
    }

    /// The glob of a value. `None` if a variable in it has no value.
    fn glob(
        &self,
        value: &str,
        wildcards: Wildcards,
        reading: Reading,
        meaning: &dyn Fn(&Variable) -> Meaning,
    ) -> Option<Glob> {
        resolve(&tokens(value, self.variables, wildcards), reading, meaning)
    }

    /// The values that the operator can read. The others match nothing and make the condition doubtful.
    fn readable<T>(&self, read: impl Fn(&str) -> Option<T>, doubtful: &mut bool) -> Vec<T> {
        let read: Vec<T> = self.values.iter().filter_map(|value| read(value)).collect();
        *doubtful |= read.len() < self.values.len();
        read
    }

    /// The globs of a value of an ARN operator. These operators compare the six parts of an ARN one by one; only the last
    /// part may contain colons.
    ///
    /// It is not documented what they do with a pattern of fewer parts. They may add the missing parts, compare the
    /// pattern with the whole ARN, or match nothing.
    fn arn_globs(
        &self,
        value: &str,
        reading: Reading,
        meaning: &dyn Fn(&Variable) -> Meaning,
        doubtful: &mut bool,
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
        // A variable alone may stand for a whole ARN.
        let lone_variable = matches!(parted.as_slice(), [Token::Variable(_)]);
        if colons >= 5 || lone_variable {
            let glob = resolve(&parted, reading, meaning);
            let parts = |glob: &Glob| 1 + glob.0.iter().filter(|symbol| **symbol == Symbol::Char(':')).count();
            *doubtful |= lone_variable && glob.as_ref().is_some_and(|glob| glob.is_literal() && parts(glob) < 6);
            return glob.into_iter().collect();
        }
        *doubtful = true;
        if reading == Reading::Narrow {
            return Vec::new();
        }
        let mut completed = parted;
        for missing in (colons..5).rev() {
            completed.push(Token::Symbol(Symbol::Char(':')));
            completed.push(Token::Symbol(if missing == colons { Symbol::Many } else { Symbol::ManyInPart }));
        }
        let whole = tokens(value, self.variables, Wildcards::Glob);
        [completed, whole].iter().filter_map(|pattern| resolve(pattern, reading, meaning)).collect()
    }
}

/// Reads one value as text.
fn read_value(path: &Path<'_>, json: &Json<'_>) -> Result<String, DocumentError> {
    match json {
        Json::String(text) => Ok(text.to_string()),
        Json::Number(text) => Ok(text.clone()),
        Json::Bool(value) => Ok(value.to_string()),
        other => Err(path.error(format!("expected a string, a number or a boolean, found {}", other.kind()))),
    }
}
