//! Condition operators, as a table.
//!
//! An operator has a name such as `StringNotLike`, perhaps a prefix (`ForAnyValue:` or `ForAllValues:`) and perhaps the
//! suffix `IfExists`. `Operator::parse` splits them once, when the document is read.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators".

use super::comparison::Order;
use super::glob::LetterCase;
use super::variable::Wildcards;

/// How many of a key's values have to pass the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantifier {
    /// No set operator: the key's single value. False for a key with several values.
    Value,
    /// The key's single value, or several values, of which none has to pass. No operator has it: it is the negation of
    /// [`Quantifier::Value`].
    ValueOrSeveral,
    /// `ForAnyValue`: at least one.
    Any,
    /// `ForAllValues`: every one.
    All,
}

/// The kind of comparison an operator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// Text, such as `StringLike`.
    Text { wildcards: Wildcards, letter_case: LetterCase },
    /// ARNs, part by part.
    Arn,
    /// Numbers.
    Number(Order),
    /// Dates, or seconds since 1970.
    Instant(Order),
    /// `true` or `false`.
    Bool,
    /// Bytes, in base64 in the policy.
    Binary,
    /// IP addresses and networks.
    Address,
    /// Whether the request has the key.
    Null,
}

/// The operators that IAM documents: name without prefix and suffix, kind of comparison, whether it is negated.
const OPERATORS: &[(&str, Family, bool)] = {
    const EXACT: Family = Family::Text { wildcards: Wildcards::Text, letter_case: LetterCase::Exact };
    const FOLDED: Family = Family::Text { wildcards: Wildcards::Text, letter_case: LetterCase::Ignored };
    const LIKE: Family = Family::Text { wildcards: Wildcards::Glob, letter_case: LetterCase::Exact };
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

/// A condition operator, parsed once when the document is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Operator {
    /// How many of the key's values have to pass.
    pub(super) quantifier: Quantifier,
    /// The kind of comparison.
    pub(super) family: Family,
    /// Whether the operator is a negated one, such as `StringNotEquals`.
    pub(super) negated: bool,
    /// Whether the name ends with `IfExists`: the condition then holds for a request without the key.
    pub(super) if_exists: bool,
}

impl Operator {
    /// Parses an operator such as `ForAnyValue:StringNotLikeIfExists`. `None` for one that IAM does not document.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (quantifier, name) = match text.split_once(':') {
            Some(("ForAnyValue", name)) => (Quantifier::Any, name),
            Some(("ForAllValues", name)) => (Quantifier::All, name),
            Some(_) => return None,
            None => (Quantifier::Value, text),
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
        Some(Self { quantifier, family: *family, negated: *negated, if_exists })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operator_with_prefix_and_suffix_is_parsed() {
        let operator = Operator::parse("ForAnyValue:StringNotLikeIfExists").unwrap();
        let family = Family::Text { wildcards: Wildcards::Glob, letter_case: LetterCase::Exact };
        assert_eq!(operator, Operator { quantifier: Quantifier::Any, family, negated: true, if_exists: true });
    }

    #[test]
    fn operator_that_iam_does_not_document_is_none() {
        for name in [
            "",
            "StringMatches",
            "stringequals",
            "IfExists",
            "ForSomeValue:StringEquals",
            "forAnyValue:StringEquals",
            "ForAnyValue:ForAllValues:StringEquals",
            "StringEqualsIfExistsIfExists",
            "NullIfExists",
            "ForAllValues:Null",
        ] {
            assert_eq!(Operator::parse(name), None, "{name}");
        }
    }
}
