//! Compares one value of a request with the values in a policy: text, numbers, instants and networks.
//!
//! Missing keys, keys with several values and negation are handled in [`super::requirement`].
//!
//! Cost: text is found among values without wildcards by binary search. All other values in the policy are tried, one
//! after the other. The budget is charged for every symbol of a glob that is tried.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>).

use std::net::IpAddr;
use std::sync::Arc;

use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, Month, OffsetDateTime, Time};

use super::budget::Budget;
use super::glob::{Glob, LetterCase};
use super::reading::Reading;

/// How many symbols are tried for one step of the budget.
const SYMBOLS_PER_STEP: usize = 8;

/// The values in a policy. A value of the request matches if it matches one of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// Text patterns.
    Text(Texts),
    /// Numbers; for instants, seconds since 1970.
    Number {
        /// The relation of the request's value to one of the numbers.
        order: Order,
        /// The numbers in the policy.
        numbers: Vec<f64>,
        /// Whether the values are instants, written as dates or as seconds.
        instants: bool,
        /// Whether a value of the request that is not a number or an instant matches.
        matches_unreadable: bool,
    },
    /// IP networks.
    Networks {
        /// The networks.
        networks: Vec<Network>,
        /// Whether a value of the request that is not an address matches.
        matches_unreadable: bool,
    },
    /// The value of the request is in seconds since 1970, and is written as a date before it is compared.
    AsDate(Arc<Comparison>),
}

impl Comparison {
    /// The number of values in the policy.
    pub fn value_count(&self) -> usize {
        match self {
            Self::Text(texts) => texts.globs.len(),
            Self::Number { numbers, .. } => numbers.len(),
            Self::Networks { networks, .. } => networks.len(),
            Self::AsDate(inner) => inner.value_count(),
        }
    }

    /// Whether a value of the request that is not a number, instant or address matches.
    pub fn matches_unreadable(&self) -> bool {
        match self {
            Self::Number { matches_unreadable, .. } | Self::Networks { matches_unreadable, .. } => *matches_unreadable,
            Self::Text(_) | Self::AsDate(_) => false,
        }
    }

    /// Whether a value of the request matches. Charges the budget.
    pub fn matches(&self, value: &str, budget: &Budget) -> bool {
        match self {
            Self::Text(texts) => texts.matches(value, budget),
            Self::Number { order, numbers, instants, matches_unreadable } => {
                budget.charge(1 + numbers.len() / SYMBOLS_PER_STEP);
                let read = if *instants { instant(value) } else { number(value) };
                read.map_or(*matches_unreadable, |value| numbers.iter().any(|limit| order.holds(value, *limit)))
            }
            Self::AsDate(inner) => inner.matches(date(value).as_deref().unwrap_or(value), budget),
            Self::Networks { networks, matches_unreadable } => {
                budget.charge(1 + networks.len() / SYMBOLS_PER_STEP);
                Network::parse(value)
                    .map_or(*matches_unreadable, |value| networks.iter().any(|network| network.contains(&value)))
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
    letter_case: LetterCase,
}

impl Texts {
    /// The union of these globs.
    pub fn new(globs: Vec<Glob>, letter_case: LetterCase) -> Self {
        let (mut all, wild): (Vec<Glob>, Vec<Glob>) = globs.into_iter().partition(Glob::is_literal);
        all.sort_unstable();
        all.dedup();
        let literals = all.len();
        all.extend(wild);
        Self { globs: all, literals, letter_case }
    }

    /// The union that matches only this text.
    pub fn literal(text: &str) -> Self {
        Self { globs: vec![Glob::literal(text)], literals: 1, letter_case: LetterCase::Exact }
    }

    /// The globs.
    pub fn globs(&self) -> &[Glob] {
        &self.globs
    }

    /// Whether the case of letters matters.
    pub fn letter_case(&self) -> LetterCase {
        self.letter_case
    }

    /// Whether no glob has a wildcard.
    pub fn no_wildcards(&self) -> bool {
        self.literals == self.globs.len()
    }

    /// Whether only the texts of the globs themselves match: no wildcards, and letter case matters.
    pub fn only_literals(&self) -> bool {
        self.no_wildcards() && self.letter_case == LetterCase::Exact
    }

    /// Whether one of the globs matches. Charges the budget.
    pub fn matches(&self, text: &str, budget: &Budget) -> bool {
        let (literals, wild) = self.globs.split_at_checked(self.literals).unwrap_or((&[], &self.globs));
        let (literals, tried) = match self.letter_case {
            LetterCase::Exact => (literals, wild),
            LetterCase::Ignored => (&[][..], &*self.globs),
        };
        let mut steps = 0;
        let matched = literals.binary_search_by(|glob| glob.cmp_text(text)).is_ok()
            || tried.iter().any(|glob| glob.matches_in_steps(text, self.letter_case, &mut steps));
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
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Equal => value == limit,
            Self::Less => value < limit,
            Self::LessOrEqual => value <= limit,
            Self::Greater => value > limit,
            Self::GreaterOrEqual => value >= limit,
        }
    }
}

/// An IP network: the addresses from `first` to `last`, of one IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Whether the addresses are IPv6.
    pub v6: bool,
    /// The lowest address.
    pub first: u128,
    /// The highest address.
    pub last: u128,
}

impl Network {
    /// Parses an address or a network in CIDR notation.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (v6, bits, number) = match address.trim().parse::<IpAddr>().ok()? {
            IpAddr::V4(v4) => (false, 32, u128::from(v4.to_bits())),
            IpAddr::V6(v6) => (true, 128, v6.to_bits()),
        };
        let prefix = prefix.unwrap_or(bits);
        let host_bits = bits.checked_sub(prefix)?;
        let host_mask = if host_bits == 128 { u128::MAX } else { (1 << host_bits) - 1 };
        Some(Self { v6, first: number & !host_mask, last: number | host_mask })
    }

    /// Whether all addresses of the other network are in this one.
    fn contains(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.first <= other.first && other.last <= self.last
    }
}

/// Formats seconds since 1970 as requests do: a date in UTC, to the second.
pub fn date(seconds: &str) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds.parse().ok()?).ok()?.format(&Rfc3339).ok()
}

/// Parses a number: digits, a sign, a fraction, an exponent. `inf` and `NaN` are numbers to Rust only, and not here.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok() } else { None }
}

/// Parses an instant in a policy, in seconds since 1970. It is not documented whether four digits are a year or seconds:
/// the result is the numbers with which the comparison matches more (wide) or less (narrow).
pub(super) fn policy_instants(text: &str, order: Order, reading: Reading) -> Vec<f64> {
    let text = text.trim();
    let year = if text.len() == 4 { number(text) } else { None };
    // It is not documented whether a time without a zone is in UTC or an error.
    let zoned = instant(text).or_else(|| instant(&format!("{text}Z")).filter(|_| reading == Reading::Wide));
    match (zoned, year, reading, order) {
        (None, _, _, _) => Vec::new(),
        (Some(instant), None, _, _) => vec![instant],
        (Some(instant), Some(seconds), Reading::Wide, _) => vec![instant, seconds],
        (Some(_), Some(_), Reading::Narrow, Order::Equal) => Vec::new(),
        (Some(instant), Some(seconds), Reading::Narrow, Order::Greater | Order::GreaterOrEqual) => {
            vec![instant.max(seconds)]
        }
        (Some(instant), Some(seconds), Reading::Narrow, Order::Less | Order::LessOrEqual) => vec![instant.min(seconds)],
    }
}

/// Parses an instant, in seconds since 1970: a W3C date (a profile of ISO 8601), or the seconds themselves.
pub fn instant(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() != 4 && !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
        return number(text);
    }
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = parts.next()?;
    let month = parts.next().unwrap_or("01");
    let day = parts.next().unwrap_or("01");
    if year.len() != 4 || month.len() != 2 || day.len() != 2 || parts.next().is_some() {
        return None;
    }
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    let instant = match time {
        None => date.with_time(Time::MIDNIGHT).assume_utc(),
        Some(time) => {
            let full = format!("{date}T{}", time.to_ascii_uppercase());
            OffsetDateTime::parse(&full, &Iso8601::PARSING).ok()?
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 of a four-digit year are exact in an f64")]
    Some(instant.unix_timestamp() as f64 + f64::from(instant.nanosecond()) / 1e9)
}
