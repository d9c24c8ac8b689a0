//! The result of translating a condition: what it requires of its key in a request.
//!
//! A requirement no longer has an operator's name, policy variables or a reading. It can be checked against a request
//! ([`Requirement::holds`]), negated, and given to a solver.

use std::sync::Arc;

use super::budget::Budget;
use super::comparison::{Comparison, Texts};
use super::glob::{Glob, LetterCase};
use super::operator::Quantifier;

/// Whether a condition holds, depending on its key in the request.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// Whether the condition holds if the request does not have the key.
    pub if_absent: bool,
    /// When the condition holds if the request has the key.
    pub if_present: IfPresent,
}

impl Requirement {
    /// The requirement that holds exactly if this one does not.
    pub fn negated(self) -> Self {
        let if_present = match self.if_present {
            IfPresent::Holds(holds) => IfPresent::Holds(!holds),
            IfPresent::Values { quantifier, comparison, positive } => {
                let quantifier = match quantifier {
                    Quantifier::Value => Quantifier::ValueOrSeveral,
                    Quantifier::ValueOrSeveral => Quantifier::Value,
                    Quantifier::Any => Quantifier::All,
                    Quantifier::All => Quantifier::Any,
                };
                IfPresent::Values { quantifier, comparison, positive: !positive }
            }
        };
        Self { if_absent: !self.if_absent, if_present }
    }

    /// The requirement that the values, as many as this one asks for, are ARNs.
    #[must_use]
    pub fn arns_only(&self) -> Self {
        let if_present = match &self.if_present {
            IfPresent::Holds(holds) => IfPresent::Holds(*holds),
            IfPresent::Values { quantifier, .. } => {
                let comparison = Arc::new(Comparison::Text(Texts::new(vec![Glob::arn()], LetterCase::Exact)));
                IfPresent::Values { quantifier: *quantifier, comparison, positive: true }
            }
        };
        Self { if_absent: self.if_absent, if_present }
    }

    /// Whether the operator is `ForAnyValue` or `ForAllValues`.
    pub fn uses_set_operator(&self) -> bool {
        matches!(self.if_present, IfPresent::Values { quantifier: Quantifier::Any | Quantifier::All, .. })
    }

    /// Whether the requirement holds for a key with these values; `None` if the request does not have the key. Charges
    /// the budget.
    pub fn holds(&self, values: Option<&[String]>, budget: &Budget) -> bool {
        let Some(values) = values else { return self.if_absent };
        match &self.if_present {
            IfPresent::Holds(holds) => *holds,
            IfPresent::Values { quantifier, comparison, positive } => {
                let passes = |value: &String| comparison.matches(value, budget) == *positive;
                match quantifier {
                    Quantifier::Any => values.iter().any(passes),
                    Quantifier::All => values.iter().all(passes),
                    Quantifier::Value => values.len() == 1 && values.iter().all(passes),
                    Quantifier::ValueOrSeveral => values.len() != 1 || values.iter().all(passes),
                }
            }
        }
    }
}

/// When a condition holds on a key that the request has.
#[derive(Debug, Clone, PartialEq)]
pub enum IfPresent {
    /// Always (`true`) or never (`false`), with any value. This is what `Null` tests.
    Holds(bool),
    /// If enough values pass the comparison.
    Values {
        /// How many values have to pass.
        quantifier: Quantifier,
        /// The comparison with the values of the policy.
        comparison: Arc<Comparison>,
        /// Whether a value passes by matching (`StringEquals`) or by not matching (`StringNotEquals`).
        positive: bool,
    },
}
