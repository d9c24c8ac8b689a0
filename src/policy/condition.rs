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

use super::address;
use super::binary;
use super::comparison::{Comparison, Conversion, Texts};
use super::context_key::ContextKey;
use super::glob::{Glob, LetterCase, Symbol, TextRules};
use super::instant;
use super::json::{DocumentError, Json, Path, members};
use super::number::Number;
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

    /// Whether the condition holds for the same requests in every statement, also where its two readings differ. This is so
    /// for text operators without a set prefix, on a key with a single value.
    pub fn is_plain(&self) -> bool {
        !self.values.is_empty()
            && matches!(
                self.operator,
                Some(Operator { quantifier: Quantifier::Value, family: Family::Text { .. }, .. })
            )
    }

    /// Whether both readings hold for the same requests, if the key has a single value or several. A quick check: false for
    /// some conditions for which the readings do not differ.
    pub fn has_one_reading(&self, multivalued: bool) -> bool {
        let Some(Operator { quantifier, family, negated, if_exists }) = self.operator else { return false };
        let family_has = match family {
            Family::Text { letter_case: LetterCase::Exact, .. } => {
                self.values.iter().all(|value| !value.contains(['?', '$']))
            }
            Family::Bool | Family::Null => quantifier == Quantifier::Value,
            _ => false,
        };
        // For a set operator an empty value may count as a missing key.
        let matches_empty = || self.values.iter().any(|value| value.bytes().all(|c| c == b'*'));
        let quantifier_has = match quantifier {
            Quantifier::Any | Quantifier::All if multivalued => true,
            Quantifier::Any => !negated && !if_exists && !matches_empty(),
            Quantifier::All => false,
            Quantifier::Value | Quantifier::ValueOrSeveral => !multivalued,
        };
        !self.values.is_empty() && family_has && quantifier_has
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

    /// How the operator compares characters, in a reading of the condition.
    pub fn text_rules(&self, reading: Reading) -> TextRules {
        let letter_case = match self.operator {
            Some(Operator { family: Family::Text { letter_case, .. }, .. }) => letter_case,
            _ => LetterCase::Exact,
        };
        TextRules { letter_case, reading: self.inner(reading) }
    }

    /// The reading of the values. A negated operator holds more often if its values match less.
    fn inner(&self, reading: Reading) -> Reading {
        if self.is_negated() { reading.other() } else { reading }
    }

    /// Whether the operator is a negated one, such as `StringNotEquals`.
    pub fn is_negated(&self) -> bool {
        self.operator.is_some_and(|operator| operator.negated)
    }

    /// The keys of the variables in the values.
    pub fn variables(&self) -> impl Iterator<Item = ContextKey> {
        let takes_variables = self.variables == Variables::Replaced
            && matches!(self.operator, Some(Operator { family: Family::Text { .. } | Family::Arn, .. }));
        let values = if takes_variables { self.values.as_slice() } else { &[] };
        let with_variables = values.iter().filter(|value| value.contains("${"));
        with_variables.flat_map(|value| tokens(value, Variables::Replaced, Wildcards::Text)).filter_map(|token| {
            match token {
                Token::Variable(variable, _) => Some(variable.key),
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
        let inner = self.inner(reading);
        // It is not documented whether a negated operator holds if it has no values, or values that may not convert.
        let mut doubtful = self.values.is_empty();
        // Nor is it for a value of the request that does not convert, such as text where a number is expected.
        let conversion = Conversion { reading: inner, matches_unreadable: negated && inner == Reading::Wide };
        let is_true = |value: &String| value.eq_ignore_ascii_case("true");
        let (asks_true, asks_false) = (self.values.iter().any(is_true), !self.values.iter().all(is_true));
        let mut positive = !negated;
        let text = |globs: Vec<Glob>| Comparison::Text(Texts::with_rules(globs, self.text_rules(reading)));
        let comparison = match family {
            Family::Text { wildcards, .. } => {
                let glob = |value: &String| resolve(&tokens(value, self.variables, wildcards), inner, meaning);
                text(self.values.iter().filter_map(glob).collect())
            }
            Family::Arn => {
                let globs = self.values.iter().map(|value| self.arn_globs(value, inner, meaning, &mut doubtful));
                text(globs.collect::<Vec<_>>().concat())
            }
            Family::Binary => text(self.values.iter().flat_map(|value| binary::globs(value, inner)).collect()),
            Family::Number(order) => {
                let read = |value: &str| vec![Number::parse(value)];
                let numbers = self.converted(read, |ways| limits(ways, inner), &mut doubtful);
                Comparison::Numbers(order, numbers, conversion)
            }
            Family::Instant(order) => {
                let limits = |ways| order.limits(ways, inner);
                let instants = self.converted(instant::readings, limits, &mut doubtful);
                Comparison::Instants(order, instants, conversion)
            }
            Family::Address => {
                let networks = self.converted(address::in_policy, |ways| limits(ways, inner), &mut doubtful);
                Comparison::Networks(networks, conversion)
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
            Quantifier::Value | Quantifier::ValueOrSeveral => negated,
        };
        let if_present = if negated && doubtful && reading == Reading::Narrow {
            IfPresent::Holds(false)
        } else {
            IfPresent::Values { quantifier, comparison: Arc::new(comparison), positive }
        };
        Some(Requirement { if_absent, if_present })
    }

    /// The values, converted. `read` lists the ways in which a value may convert; `limits` makes of them what the request's
    /// value is compared with. A value that may not convert makes the condition doubtful.
    fn converted<T>(
        &self,
        read: impl Fn(&str) -> Vec<Option<T>>,
        limits: impl Fn(Vec<Option<T>>) -> Vec<T>,
        doubtful: &mut bool,
    ) -> Vec<T> {
        let ways: Vec<Vec<Option<T>>> = self.values.iter().map(|value| read(value)).collect();
        *doubtful |= ways.iter().flatten().any(Option::is_none);
        ways.into_iter().flat_map(limits).collect()
    }

    /// The globs of a value of an ARN operator. These operators compare the six parts of an ARN one by one; only the last
    /// part may contain colons.
    ///
    /// It is not documented what they do with a pattern that is no ARN, or that becomes none by its variables. They may add
    /// missing parts, compare the pattern as text, or match nothing.
    fn arn_globs(
        &self,
        value: &str,
        reading: Reading,
        meaning: &dyn Fn(&Variable) -> Meaning,
        doubtful: &mut bool,
    ) -> Vec<Glob> {
        let whole = tokens(value, self.variables, Wildcards::Glob);
        // A variable alone may stand for a whole ARN.
        let lone_variable = matches!(whole.as_slice(), [Token::Variable(..)]);
        let mut colons = 0;
        let mut before_last = 0;
        let parted: Vec<Token> = whole
            .iter()
            .map(|token| {
                before_last += usize::from(colons < 5);
                match token {
                    Token::Symbol(symbol) => Token::Symbol(symbol.in_part(&mut colons)),
                    Token::Variable(variable, _) if colons < 5 && !lone_variable => {
                        Token::Variable(variable.clone(), Wildcards::GlobInPart)
                    }
                    Token::Variable(..) => token.clone(),
                }
            })
            .collect();
        if colons < 5 && !lone_variable {
            *doubtful = true;
            if reading == Reading::Narrow {
                return Vec::new();
            }
            let part = [Symbol::Char(':'), Symbol::Many].map(Token::Symbol);
            let missing = std::iter::repeat_n(part, 5 - colons).flatten();
            let completed: Vec<Token> = parted.into_iter().chain(missing).collect();
            return [completed, whole].iter().filter_map(|pattern| resolve(pattern, reading, meaning)).collect();
        }
        let Some(glob) = resolve(&parted, reading, meaning) else { return Vec::new() };
        // A colon in the value of a variable makes more parts.
        let before_last = parted.get(..before_last).unwrap_or_default();
        let more_parts = resolve(before_last, reading, meaning).is_some_and(|before| before.colons() > 5);
        let shifted = more_parts && !lone_variable;
        let only_arns = if shifted { None } else { glob.only_arns() };
        *doubtful |= only_arns.is_none();
        match reading {
            Reading::Narrow => only_arns.into_iter().collect(),
            Reading::Wide if shifted => {
                let by_value = resolve(&whole, reading, meaning).map(Glob::in_parts);
                [Some(glob), by_value].into_iter().flatten().collect()
            }
            Reading::Wide => vec![glob],
        }
    }
}

/// What a value of the request is compared with if a value of the policy may convert in these ways: each of them in the wide
/// reading, and in the narrow one the only way, if there is only one.
fn limits<T>(ways: Vec<Option<T>>, reading: Reading) -> Vec<T> {
    if reading == Reading::Narrow && ways.len() > 1 { Vec::new() } else { ways.into_iter().flatten().collect() }
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
