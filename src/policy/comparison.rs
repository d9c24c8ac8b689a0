//! One value of the request against the values that a condition lists.
//!
//! Knows how text, numbers, instants and networks are written and compared. Knows nothing of keys that are
//! missing, of keys with several values or of negation: those are the condition's.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators".

use std::net::IpAddr;
use std::sync::Arc;

use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, Month, OffsetDateTime, Time};

use super::budget::Budget;
use super::glob::{Glob, LetterCase};
use super::reading::Reading;

/// How many symbols are tried in the time of a step of the budget.
const SYMBOLS_PER_STEP: usize = 8;

/// What a condition lists: a value matches where it matches one of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// Text patterns.
    Text(Texts),
    /// Numbers; for instants, seconds since 1970.
    Number {
        /// How the request's value has to relate to one of the numbers.
        order: Order,
        /// The numbers listed.
        numbers: Vec<f64>,
        /// Whether the values are instants, written as dates or as seconds.
        instants: bool,
        /// Whether a value of the request that is none counts as one that matches.
        matches_unreadable: bool,
    },
    /// IP networks.
    Networks {
        /// The networks.
        networks: Vec<Network>,
        /// Whether a value of the request that is no address counts as one that matches.
        matches_unreadable: bool,
    },
    /// The value, seconds since 1970, is written as a date first.
    AsDate(Arc<Comparison>),
}

/// A union of text patterns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Texts {
    /// Those without wildcards first, these sorted: a policy may list hundreds.
    globs: Vec<Glob>,
    literals: usize,
    letter_case: LetterCase,
}

impl Texts {
    /// The union of these patterns.
    pub fn new(globs: Vec<Glob>, letter_case: LetterCase) -> Self {
        let (mut all, wild): (Vec<Glob>, Vec<Glob>) = globs.into_iter().partition(Glob::is_literal);
        all.sort_unstable();
        all.dedup();
        let literals = all.len();
        all.extend(wild);
        Self { globs: all, literals, letter_case }
    }

    /// The union that holds one text.
    pub fn literal(text: &str) -> Self {
        Self { globs: vec![Glob::literal(text)], literals: 1, letter_case: LetterCase::Exact }
    }

    /// The patterns, of which one has to match.
    pub fn globs(&self) -> &[Glob] {
        &self.globs
    }

    /// Whether the case of letters matters.
    pub fn letter_case(&self) -> LetterCase {
        self.letter_case
    }

    /// Whether the texts that match are just the patterns as they stand.
    pub fn only_literals(&self) -> bool {
        self.literals == self.globs.len() && self.letter_case == LetterCase::Exact
    }

    /// Whether one of the patterns matches, at the budget's cost.
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

/// The relation of the request's value to a listed one.
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
    fn holds(self, value: f64, listed: f64) -> bool {
        match self {
            Self::Equal => value == listed,
            Self::Less => value < listed,
            Self::LessOrEqual => value <= listed,
            Self::Greater => value > listed,
            Self::GreaterOrEqual => value >= listed,
        }
    }
}

/// An IP network: the addresses from `first` to `last`, all of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Whether the addresses are IPv6 ones.
    pub v6: bool,
    /// The lowest address.
    pub first: u128,
    /// The highest address.
    pub last: u128,
}

impl Network {
    /// Reads an address or a network in CIDR notation.
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

    /// Whether the network holds all addresses of the other.
    fn holds(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.first <= other.first && other.last <= self.last
    }
}

impl Comparison {
    /// How many values are listed.
    pub fn value_count(&self) -> usize {
        match self {
            Self::Text(texts) => texts.globs.len(),
            Self::Number { numbers, .. } => numbers.len(),
            Self::Networks { networks, .. } => networks.len(),
            Self::AsDate(inner) => inner.value_count(),
        }
    }

    /// What it comes to for a value that is no number, instant or address.
    pub fn matches_unreadable(&self) -> bool {
        match self {
            Self::Number { matches_unreadable, .. } | Self::Networks { matches_unreadable, .. } => *matches_unreadable,
            Self::Text(_) | Self::AsDate(_) => false,
        }
    }

    /// Reads an instant as the seconds since 1970.
    pub fn instant(text: &str) -> Option<f64> {
        instant(text)
    }

    /// Whether a value of the request matches one of the listed values, at the budget's cost.
    pub fn matches(&self, value: &str, budget: &Budget) -> bool {
        match self {
            Self::Text(texts) => texts.matches(value, budget),
            Self::Number { order, numbers, instants, matches_unreadable } => {
                budget.charge(1 + numbers.len() / SYMBOLS_PER_STEP);
                let read = if *instants { instant(value) } else { number(value) };
                read.map_or(*matches_unreadable, |value| numbers.iter().any(|listed| order.holds(value, *listed)))
            }
            Self::AsDate(inner) => inner.matches(date(value).as_deref().unwrap_or(value), budget),
            Self::Networks { networks, matches_unreadable } => {
                budget.charge(1 + networks.len() / SYMBOLS_PER_STEP);
                Network::parse(value)
                    .map_or(*matches_unreadable, |value| networks.iter().any(|network| network.holds(&value)))
            }
        }
    }
}

/// Seconds since 1970 as the date that requests carry: UTC, to the second.
pub fn date(seconds: &str) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds.parse().ok()?).ok()?.format(&Rfc3339).ok()
}

/// Reads a number: digits, a sign, a fraction, an exponent; nothing that only Rust calls a number.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok() } else { None }
}

/// Reads a listed instant as the seconds since 1970. Four digits may be a year or seconds: in doubt the numbers that
/// make the comparison match more or less.
pub(super) fn listed_instants(text: &str, order: Order, reading: Reading) -> Vec<f64> {
    let text = text.trim();
    let year = if text.len() == 4 { number(text) } else { None };
    // A time without a zone may be in UTC, or not be read at all.
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

/// Reads an instant as the seconds since 1970: one of the W3C's forms of ISO 8601, or the seconds themselves.
pub(super) fn instant(text: &str) -> Option<f64> {
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
