//! What a condition requires of the value of its key.

use std::sync::Arc;

use super::budget::Budget;
use super::comparison::{Comparison, Texts};
use super::glob::{Glob, LetterCase};
use super::operator::Quantifier;

/// What a condition asks of its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// Whether the condition holds where the request has not the key.
    pub if_absent: bool,
    /// What it asks of the value or values of a key that the request has.
    pub if_present: IfPresent,
}

impl Requirement {
    /// The requirement that holds just where this one does not.
    pub fn negated(self) -> Self {
        let if_present = match self.if_present {
            IfPresent::Holds(holds) => IfPresent::Holds(!holds),
            IfPresent::Values { quantifier, comparison, positive } => {
                let quantifier = match quantifier {
                    Quantifier::Value => Quantifier::Value,
                    Quantifier::Any => Quantifier::All,
                    Quantifier::All => Quantifier::Any,
                };
                IfPresent::Values { quantifier, comparison, positive: !positive }
            }
        };
        Self { if_absent: !self.if_absent, if_present }
    }

    /// That the value or values are ARNs.
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

    /// Whether it comes of a set operator.
    pub fn uses_set_operator(&self) -> bool {
        matches!(self.if_present, IfPresent::Values { quantifier: Quantifier::Any | Quantifier::All, .. })
    }

    /// Whether it holds of a key with these values, none if the request has not the key; at the budget's cost.
    pub fn holds(&self, values: Option<&[String]>, budget: &Budget) -> bool {
        let Some(values) = values else { return self.if_absent };
        match &self.if_present {
            IfPresent::Holds(holds) => *holds,
            IfPresent::Values { quantifier, comparison, positive } => {
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
pub enum IfPresent {
    /// Nothing more (`Null`): holds or not.
    Holds(bool),
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
