//! Compares one value of a request with the values in a policy: text, numbers, instants and networks.
//!
//! Missing keys, keys with several values and negation are handled in [`super::requirement`].
//!
//! A value may convert in several ways, because AWS does not document what IAM does with it. In the wide reading it matches
//! if it matches in one of these ways, in the narrow reading if it matches in all of them.
//!
//! Cost: text is found among values without wildcards by binary search. All other values in the policy are tried, one
//! after the other. The budget is charged for every symbol of a glob that is tried.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>).

use std::cmp::Ordering;
use std::sync::Arc;

use super::address::{self, Network};
use super::budget::Budget;
use super::glob::{Glob, LetterCase, TextRules, has_two_units};
use super::instant::{self, Instant, date};
use super::number::Number;
use super::reading::Reading;

/// How many symbols are tried for one step of the budget.
const SYMBOLS_PER_STEP: usize = 8;

/// The values in a policy. A value of the request matches if it matches one of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// Text patterns.
    Text(Texts),
    /// Numbers, and the relation of the request's value to one of them.
    Numbers(Order, Vec<Number>, Conversion),
    /// Instants, and the relation of the request's value to one of them.
    Instants(Order, Vec<Instant>, Conversion),
    /// IP networks.
    Networks(Vec<Network>, Conversion),
    /// The value of the request is in seconds since 1970, and is written as a date before it is compared.
    AsDate(Arc<Comparison>),
}

/// How a value of the request is converted to a number, an instant or a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversion {
    /// Which values match that convert in several ways.
    pub reading: Reading,
    /// Whether a value that does not convert matches.
    pub matches_unreadable: bool,
}

impl Conversion {
    /// Whether a value matches that converts in these ways. `None` is a way in which it does not convert.
    fn accepts<T>(self, ways: &[Option<T>], matches: impl Fn(&T) -> bool) -> bool {
        self.reading.accepts(ways.iter().map(|way| way.as_ref().map_or(self.matches_unreadable, &matches)))
    }
}

impl Comparison {
    /// The number of values in the policy.
    pub fn value_count(&self) -> usize {
        match self {
            Self::Text(texts) => texts.globs.len(),
            Self::Numbers(_, numbers, _) => numbers.len(),
            Self::Instants(_, instants, _) => instants.len(),
            Self::Networks(networks, _) => networks.len(),
            Self::AsDate(inner) => inner.value_count(),
        }
    }

    /// Whether a value of the request matches. Charges the budget.
    pub fn matches(&self, value: &str, budget: &Budget) -> bool {
        let charge = || budget.charge(1 + self.value_count() / SYMBOLS_PER_STEP);
        match self {
            Self::Text(texts) => texts.matches(value, budget),
            Self::AsDate(inner) => inner.matches(date(value).as_deref().unwrap_or(value), budget),
            Self::Numbers(order, numbers, conversion) => {
                charge();
                let holds = |number: &Number| {
                    order.holds(numbers.iter().map(|limit| number.compare(limit)), conversion.reading)
                };
                conversion.accepts(&[Number::parse(value)], holds)
            }
            Self::Instants(order, instants, conversion) => {
                charge();
                let holds = |instant: &Instant| {
                    order.holds(instants.iter().map(|limit| instant.compare(*limit)), conversion.reading)
                };
                conversion.accepts(&instant::readings(value), holds)
            }
            Self::Networks(networks, conversion) => {
                charge();
                let holds = |address: &Network| networks.iter().any(|network| network.contains(address));
                conversion.accepts(&address::in_request(value), holds)
            }
        }
    }
}

/// Several globs. A text matches if it matches one of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Texts {
    /// First the globs without wildcards, sorted for binary search, because a policy may have hundreds. Then the others.
    globs: Vec<Glob>,
    /// The number of globs without wildcards.
    literals: usize,
    rules: TextRules,
}

impl Texts {
    /// The union of these globs. Doubtful characters are read wide.
    pub fn new(globs: Vec<Glob>, letter_case: LetterCase) -> Self {
        Self::with_rules(globs, TextRules { letter_case, reading: Reading::Wide })
    }

    /// The union of these globs.
    pub fn with_rules(globs: Vec<Glob>, rules: TextRules) -> Self {
        let (mut all, wild): (Vec<Glob>, Vec<Glob>) = globs.into_iter().partition(Glob::is_literal);
        all.sort_unstable();
        all.dedup();
        let literals = all.len();
        all.extend(wild);
        Self { globs: all, literals, rules }
    }

    /// The globs.
    pub fn globs(&self) -> &[Glob] {
        &self.globs
    }

    /// How characters are compared.
    pub fn rules(&self) -> TextRules {
        self.rules
    }

    /// Whether no glob has a wildcard.
    pub fn no_wildcards(&self) -> bool {
        self.literals == self.globs.len()
    }

    /// Whether only the texts of the globs themselves match: no wildcards, and letter case matters.
    pub fn only_literals(&self) -> bool {
        self.no_wildcards() && self.rules.letter_case == LetterCase::Exact
    }

    /// Whether one of the globs matches. Charges the budget.
    pub fn matches(&self, text: &str, budget: &Budget) -> bool {
        let (literals, wild) = self.globs.split_at_checked(self.literals).unwrap_or((&[], &self.globs));
        let (literals, tried) = match self.rules.letter_case {
            LetterCase::Exact => (literals, wild),
            LetterCase::Ignored => (&[][..], &*self.globs),
        };
        let mut steps = 0;
        let matched = literals.binary_search_by(|glob| glob.cmp_text(text)).is_ok()
            || if has_two_units(text) {
                tried.iter().any(|glob| glob.matches_by_positions(text, self.rules, &mut steps))
            } else {
                tried.iter().any(|glob| glob.matches_in_steps(text, self.rules, &mut steps))
            };
        budget.charge(steps / SYMBOLS_PER_STEP);
        matched
    }
}

/// The relation of the request's value to a value in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// `…Equals` and `…NotEquals`.
    Equal,
    /// `…LessThan`.
    Less,
    /// `…LessThanEquals`.
    LessOrEqual,
    /// `…GreaterThan`.
    Greater,
    /// `…GreaterThanEquals`.
    GreaterOrEqual,
}

impl Order {
    /// Whether the relation holds to one of the values that a value was compared with. Each entry of `orders` has the
    /// results of comparing in several ways.
    fn holds(self, mut orders: impl Iterator<Item = [Ordering; 2]>, reading: Reading) -> bool {
        let holds = |order: &Ordering| match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        };
        orders.any(|orders| reading.accepts(orders.iter().map(holds)))
    }

    /// The instants of a policy that stand for a text with these readings.
    pub(super) fn limits(self, readings: Vec<Option<Instant>>, reading: Reading) -> Vec<Instant> {
        if reading == Reading::Wide {
            return readings.into_iter().flatten().collect();
        }
        // In the narrow reading the relation to all of them has to hold.
        let all: Option<Vec<Instant>> = readings.into_iter().collect();
        let all = all.unwrap_or_default();
        let (earliest, latest) = (all.iter().min(), all.iter().max());
        let strictest = match self {
            Self::Equal => earliest.filter(|earliest| Some(*earliest) == latest),
            Self::Less | Self::LessOrEqual => earliest,
            Self::Greater | Self::GreaterOrEqual => latest,
        };
        strictest.copied().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps that the work costs.
    fn cost(work: impl Fn(&Budget)) -> usize {
        let budget = Budget::new(1_000);
        work(&budget);
        1_000 - (0..1_000).take_while(|steps| budget.clone().spend(*steps).is_ok()).count()
    }

    fn conversion() -> Conversion {
        Conversion { reading: Reading::Wide, matches_unreadable: false }
    }

    #[test]
    fn comparison_counts_and_pays_for_its_values() {
        let numbers = vec![Number::parse("1").unwrap(); 20];
        let networks = vec![address::in_policy("10.0.0.0/8")[0].unwrap(); 20];
        let texts = || Comparison::Text(Texts::new(vec![Glob::new("*a"); 20], LetterCase::Exact));
        for comparison in [
            Comparison::Numbers(Order::Equal, numbers, conversion()),
            Comparison::Instants(Order::Equal, vec![Instant::from_seconds(1); 20], conversion()),
            Comparison::Networks(networks, conversion()),
        ] {
            assert_eq!(comparison.value_count(), 20);
            assert_eq!(cost(|budget| _ = comparison.matches("5", budget)), 3, "{comparison:?}");
        }
        assert_eq!(texts().value_count(), 20);
        assert_eq!(Comparison::AsDate(Arc::new(texts())).value_count(), 20);
        // Each of the patterns tries six symbols, and a step pays for eight.
        assert_eq!(cost(|budget| _ = texts().matches("bbbb", budget)), 15);
    }
}
