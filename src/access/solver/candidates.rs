//! A few values that stand for all values of a slot, where numbers, instants and addresses are compared.
//!
//! Knows the constants of the comparisons. Does not check whether a value passes.

// INVARIANT: if a value passes comparisons, none of which is on its text, one of the candidates does.
//
// A comparison names constants: numbers, instants, networks. How a text compares with them
// depends only on what it converts to. `candidates` has, for each class of texts, values that stand for all of the class:
// - texts that convert to nothing: one of them,
// - numbers, as decimals that are seconds too, and with an exponent, which are no instants: each constant, a number just
//   above and just below it, and its neighbours among the floating-point numbers, because IAM may round,
// - four digits, which are a year or seconds: those next to each constant,
// - dates: each constant, the nanosecond before and after it, and its millisecond, because IAM may cut them,
// - addresses: the first address of each network, and the first one after it. They stand for all addresses,
// - networks, which may be no addresses: each network of the tests, and the one of all addresses.
// - texts that are one of these or nothing: dates without a zone, seconds with a plus sign, an address with the mask of one
//   address.
//
// Two kinds of constants together. Numbers and instants cut the same line. Constants of at most 15 digits lie further
// apart than the rounded numbers next to them. With longer constants of both kinds the candidates are not enough.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::slot::Kind;
use super::universe::Universe;
use crate::policy::address::Network;
use crate::policy::comparison::Comparison;
use crate::policy::instant::Instant;
use crate::policy::number::Number;

/// Values to try for a slot.
pub(super) struct Candidates {
    pub(super) values: Vec<String>,
    /// Whether they stand for all values of the slot, if no comparison is on its text.
    pub(super) complete: bool,
}

/// The candidates for a slot whose value is compared in these ways.
pub(super) fn candidates<'c>(kind: &Kind, comparisons: impl Iterator<Item = &'c Comparison>) -> Candidates {
    let constants = Constants::of(comparisons);
    let (values, complete) = match kind {
        Kind::Choice(_) => (Vec::new(), false),
        Kind::Address | Kind::PrivateAddress => (constants.addresses(), true),
        #[expect(clippy::cast_possible_truncation, reason = "the time of an evaluation fits 64 bits")]
        Kind::InstantFrom(from) => (constants.seconds(*from as i64), true),
        Kind::InstantUntil(_) => (constants.seconds(0), true),
        Kind::Number => {
            (constants.whole_numbers().into_iter().chain([0]).map(|number| number.to_string()).collect(), true)
        }
        Kind::Text(Universe::Account) => {
            let whole = constants.whole_numbers().into_iter().chain([0, 999_999_999_999]);
            (whole.map(|number| format!("{number:012}")).collect(), true)
        }
        Kind::Text(universe) => {
            let any_text = matches!(universe, Universe::Text | Universe::Member);
            (constants.texts(), any_text && constants.are_far_apart())
        }
    };
    Candidates { values, complete }
}

/// The place of a host in its network.
const HOST: u128 = 10;

/// The private networks, each by its first address and the length of its prefix.
const PRIVATE: [(u32, u32); 4] = [(0x0a00_0000, 8), (0xac10_0000, 12), (0xc0a8_0000, 16), (0x6440_0000, 10)];

/// Whether an address is in one of the private networks.
pub(super) fn is_private(address: Ipv4Addr) -> bool {
    PRIVATE.iter().any(|(first, prefix)| (address.to_bits() ^ first).leading_zeros() >= *prefix)
}

/// The constants that a value is compared with. Those that a date is compared with are left out, because a date is neither a
/// number nor an address.
struct Constants {
    numbers: Vec<Number>,
    instants: Vec<Instant>,
    networks: Vec<Network>,
}

impl Constants {
    fn of<'c>(comparisons: impl Iterator<Item = &'c Comparison>) -> Self {
        let (mut numbers, mut instants, mut networks) = (Vec::new(), Vec::new(), Vec::new());
        for comparison in comparisons {
            match comparison {
                Comparison::Numbers(_, named, _) => numbers.extend(named.iter().cloned()),
                Comparison::Instants(_, named, _) => instants.extend(named),
                Comparison::Networks(named, _) => networks.extend(named),
                Comparison::Text(_) | Comparison::AsDate(_) => {}
            }
        }
        instants.sort_unstable();
        Self { numbers, instants, networks }
    }

    /// Whether numbers and instants do not meet, or lie further apart than the rounded numbers next to them.
    fn are_far_apart(&self) -> bool {
        let long = |number: &Number| number.digit_count() > 15;
        let instants = || self.instants.iter().filter_map(|instant| Number::parse(&seconds_text(*instant)));
        self.numbers.is_empty()
            || self.instants.is_empty()
            || !self.numbers.iter().cloned().chain(instants()).any(|number| long(&number))
    }

    /// For each number and instant, the whole number before it, or it itself, and those next to that one.
    fn whole_numbers(&self) -> Vec<i128> {
        let numbers = self.numbers.iter().filter_map(|number| number.floor(0));
        let floors = numbers.chain(self.instants.iter().map(|instant| instant.seconds()));
        floors.flat_map(|floor| [floor, floor + 1, floor - 1]).collect()
    }

    /// Whole seconds in ascending order, not before this one.
    fn seconds(&self, from: i64) -> Vec<String> {
        let mut seconds = self.whole_numbers();
        seconds.push(from.into());
        seconds.retain(|second| *second >= from.into());
        seconds.sort_unstable();
        seconds.dedup();
        seconds.into_iter().map(written_seconds).collect()
    }

    /// Numbers without exponent. Those with four digits are years too, so they are also written with a zero in front.
    fn decimals(&self) -> Vec<String> {
        let mut named = vec!["0".to_owned()];
        named.extend(self.numbers.iter().map(Number::to_string));
        for instant in self.moments() {
            named.push(seconds_text(instant));
        }
        let named: Vec<Number> = named.iter().filter_map(|text| Number::parse(text)).collect();
        let places = named.iter().map(Number::places).max().unwrap_or_default();
        let mut decimals: Vec<String> = [0, 1, -1].iter().map(i128::to_string).collect();
        decimals.extend(self.whole_numbers().iter().map(i128::to_string));
        decimals.extend(self.whole_numbers().iter().filter(|number| **number >= 0).map(|number| format!("0{number}")));
        decimals.extend(named.iter().map(Number::to_string));
        // Each number between two constants that are next to each other is like the one just beyond the constant that is
        // nearer to zero.
        decimals.extend(named.iter().flat_map(|number| number.just_beyond(places)));
        decimals.extend(named.iter().flat_map(Number::neighbours));
        let years = self.instants.iter().filter_map(|instant| instant.date()?.get(..4)?.parse().ok());
        let years = years.flat_map(|year: i128| [year - 1, year, year + 1]).chain([0, 9999]);
        let four_digits = self.whole_numbers().into_iter().chain(years).filter(|number| (0..10_000).contains(number));
        if !self.instants.is_empty() {
            decimals.extend(four_digits.map(|number| format!("{number:04}")));
        }
        decimals
    }

    /// For each instant: it itself, its millisecond, and the nanoseconds and milliseconds next to them.
    fn moments(&self) -> Vec<Instant> {
        let near = |instant: &Instant| {
            let (exact, cut) = (instant.0, instant.millisecond().0);
            [exact, exact + 1, exact - 1, cut, cut + 1_000_000, cut - 1]
        };
        self.instants.iter().flat_map(near).map(Instant).collect()
    }

    fn dates(&self) -> Vec<String> {
        let near = |instant: &Instant| [0, 1, -1].map(|seconds| Instant::from_seconds(instant.seconds() + seconds));
        let moments = self.instants.iter().flat_map(near).chain(self.moments());
        let ends = ["2030-01-01T00:00:00Z", "0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"];
        moments.filter_map(Instant::date).chain(ends.map(str::to_owned)).collect()
    }

    /// The first address of each stretch that starts at, or after, a network, and of each private network; one list for IPv4
    /// and IPv6. An address inside each network comes first, because networks do not give their first one to a host.
    fn addresses(&self) -> Vec<String> {
        let (mut v4, mut v6) = (vec![0_u32], vec![0_u128]);
        let mut hosts = Vec::new();
        v4.extend(PRIVATE.map(|(first, _)| first));
        for network in &self.networks {
            let host = network.first.saturating_add(HOST).min(network.last);
            if network.v6 {
                v6.extend([Some(network.first), network.last.checked_add(1)].into_iter().flatten());
                hosts.push(Ipv6Addr::from(host).to_string());
            } else {
                let edges = [network.first, network.last.saturating_add(1)];
                v4.extend(edges.into_iter().filter_map(|edge| u32::try_from(edge).ok()));
                hosts.extend(u32::try_from(host).map(|host| Ipv4Addr::from(host).to_string()));
            }
        }
        v4.sort_unstable();
        v6.sort_unstable();
        let v4 = v4.into_iter().map(|number| Ipv4Addr::from(number).to_string());
        let v6 = v6.into_iter().map(|number| Ipv6Addr::from(number).to_string());
        hosts.into_iter().chain(v4).chain(v6).collect()
    }

    /// Texts of each class.
    fn texts(&self) -> Vec<String> {
        let mut texts = vec!["app".to_owned()];
        if !self.instants.is_empty() {
            let dates = self.dates();
            texts.extend(dates.iter().cloned());
            texts.extend(dates.iter().filter_map(|date| date.strip_suffix('Z')).map(str::to_owned));
        }
        if !self.instants.is_empty() || !self.numbers.is_empty() {
            let decimals = self.decimals();
            texts.extend(decimals.iter().cloned());
            texts.extend(
                decimals.iter().filter(|decimal| !decimal.starts_with('-')).map(|decimal| format!("+{decimal}")),
            );
            if !self.instants.is_empty() && !self.numbers.is_empty() {
                texts.extend(decimals.iter().map(|decimal| format!("{decimal}e0")));
            }
        }
        if !self.networks.is_empty() {
            let addresses = self.addresses();
            let masked = |address: &String| format!("{address}/{}", if address.contains(':') { 128 } else { 32 });
            texts.extend(addresses.iter().cloned());
            texts.extend(self.networks.iter().map(Network::to_string));
            texts.extend(["0.0.0.0/0", "::/0"].map(str::to_owned));
            texts.extend(addresses.iter().map(masked));
        }
        texts
    }
}

/// The instant in seconds since 1970, as a decimal number.
fn seconds_text(instant: Instant) -> String {
    let (sign, size) = (if instant.0 < 0 { "-" } else { "" }, instant.0.unsigned_abs());
    format!("{sign}{}.{:09}", size / 1_000_000_000, size % 1_000_000_000)
}

/// Seconds with leading zeros, because four digits would be read as a year.
pub(super) fn written_seconds(seconds: i128) -> String {
    format!("{seconds:010}")
}
