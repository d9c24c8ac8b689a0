//! IP addresses and networks as conditions compare them.
//!
//! Some texts have several readings, because AWS does not document what IAM does with them. [`in_policy`] and
//! [`in_request`] list them.
//!
//! Source: IAM User Guide, "IP address condition operators"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_IPAddress>).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

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
    /// The network of an address; `prefix` is the number of bits that its addresses share, by default all bits.
    fn new(v6: bool, address: u128, prefix: Option<u32>) -> Option<Self> {
        let bits: u32 = if v6 { 128 } else { 32 };
        let host_bits = bits.checked_sub(prefix.unwrap_or(bits))?;
        let host_mask = if host_bits == 128 { u128::MAX } else { (1 << host_bits) - 1 };
        Some(Self { v6, first: address & !host_mask, last: address | host_mask })
    }

    /// Whether all addresses of the other network are in this one.
    pub fn contains(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.first <= other.first && other.last <= self.last
    }
}

/// In CIDR notation.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host_bits = (self.last - self.first).count_ones();
        match u32::try_from(self.first) {
            Ok(first) if !self.v6 => write!(f, "{}/{}", Ipv4Addr::from(first), 32 - host_bits),
            _ => write!(f, "{}/{}", Ipv6Addr::from(self.first), 128 - host_bits),
        }
    }
}

/// The networks that a text in a policy can be: an address, or a network in CIDR notation. `None` among them if the text
/// may be neither.
///
/// - An IPv4 number with leading zeros is decimal. If it is another number in octal (`010`), it may be that, or an error.
/// - An IPv4-mapped IPv6 address is the IPv4 address, or an IPv6 address.
/// - A prefix length with a leading zero is that length, or an error.
pub fn in_policy(text: &str) -> Vec<Option<Network>> {
    readings(text, false)
}

/// The networks that a value of a request can be, as in [`in_policy`]; and
///
/// - an address with leading zeros may be no address,
/// - a network in CIDR notation is all its addresses, or no address.
pub fn in_request(text: &str) -> Vec<Option<Network>> {
    readings(text, true)
}

fn readings(text: &str, request: bool) -> Vec<Option<Network>> {
    let (address, length) = match text.trim().split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text.trim(), None),
    };
    let prefix: Option<u32> = match length {
        Some(length) if !length.bytes().all(|c| c.is_ascii_digit()) => return vec![None],
        Some(length) => match length.parse() {
            Ok(prefix) => Some(prefix),
            Err(_) => return vec![None],
        },
        None => None,
    };
    let mut doubtful = prefix.is_some_and(|prefix| request || length != Some(&*prefix.to_string()));
    let mut readings = Vec::new();
    if let Ok(v6) = address.parse::<Ipv6Addr>() {
        if let Some(v4) = v6.to_ipv4_mapped() {
            let prefix = prefix.map_or(Some(32), |prefix| prefix.checked_sub(96));
            readings.extend(prefix.map(|prefix| Network::new(false, v4.to_bits().into(), Some(prefix))));
        }
        readings.push(Network::new(true, v6.to_bits(), prefix));
    } else {
        let (decimal, octal) = (v4(address, 10), v4(address, 8));
        let zeros = decimal.is_some_and(|decimal| Ipv4Addr::from(decimal).to_string() != address);
        doubtful |= decimal != octal || request && zeros;
        let mut numbers: Vec<u32> = decimal.into_iter().chain(octal).collect();
        numbers.dedup();
        readings.extend(numbers.into_iter().map(|number| Network::new(false, number.into(), prefix)));
    }
    if doubtful || readings.is_empty() {
        readings.push(None);
    }
    readings
}

/// The number of an IPv4 address. `radix` is that of its parts with leading zeros.
fn v4(address: &str, radix: u32) -> Option<u32> {
    let parts: Vec<&str> = address.split('.').collect();
    let byte = |part: &str| {
        let radix = if part.starts_with('0') { radix } else { 10 };
        let digits = !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
        u8::from_str_radix(part, radix).ok().filter(|_| digits)
    };
    let bytes: Option<Vec<u8>> = parts.iter().map(|part| byte(part)).collect();
    bytes?.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(readings: Vec<Option<Network>>) -> Vec<String> {
        readings.iter().map(|one| one.map_or("none".to_owned(), |network| network.to_string())).collect()
    }

    #[test]
    fn text_in_a_policy_has_these_readings() {
        for (text, expected) in [
            ("192.0.2.1", &["192.0.2.1/32"][..]),
            (" 192.0.2.1 ", &["192.0.2.1/32"]),
            ("192.0.2.77/24", &["192.0.2.0/24"]),
            ("192.000.002.0/24", &["192.0.2.0/24"]),
            ("0.0.0.0/0", &["0.0.0.0/0"]),
            ("010.0.0.0/8", &["10.0.0.0/8", "8.0.0.0/8", "none"]),
            ("192.0.2.08", &["192.0.2.8/32", "none"]),
            ("192.0.2.0377", &["192.0.2.255/32", "none"]),
            ("10.0.0.0/08", &["10.0.0.0/8", "none"]),
            ("2001:db8::/32", &["2001:db8::/32"]),
            ("::/0", &["::/0"]),
            ("::ffff:10.0.0.0/104", &["10.0.0.0/8", "::ffff:10.0.0.0/104"]),
            ("::ffff:10.0.0.1", &["10.0.0.1/32", "::ffff:10.0.0.1/128"]),
            ("::ffff:10.0.0.1/90", &["::ffc0:0:0/90"]),
            ("10.0.0.0/33", &["none"]),
            ("10.0.0.0/", &["none"]),
            ("10.0.0.0/+8", &["none"]),
            ("10.0.0", &["none"]),
            ("10.0.0.0.0", &["none"]),
            ("10.0..1", &["none"]),
            ("10.0.0.256", &["none"]),
            ("10.0.0.+1", &["none"]),
            ("2001:db8::/129", &["none"]),
            ("app", &["none"]),
            ("", &["none"]),
        ] {
            assert_eq!(written(in_policy(text)), expected, "{text}");
        }
    }

    #[test]
    fn value_of_a_request_has_these_readings() {
        for (text, expected) in [
            ("192.0.2.1", &["192.0.2.1/32"][..]),
            ("192.0.002.1", &["192.0.2.1/32", "none"]),
            ("010.0.0.1", &["10.0.0.1/32", "8.0.0.1/32", "none"]),
            ("10.0.0.0/8", &["10.0.0.0/8", "none"]),
            ("2001:db8::1", &["2001:db8::1/128"]),
            ("::ffff:192.0.2.1", &["192.0.2.1/32", "::ffff:192.0.2.1/128"]),
            ("app", &["none"]),
        ] {
            assert_eq!(written(in_request(text)), expected, "{text}");
        }
    }

    #[test]
    fn network_contains_its_parts_of_the_same_version() {
        let network = |text| in_policy(text)[0].unwrap();
        for (outer, inner, expected) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "10.128.0.0/9", true),
            ("10.0.0.0/8", "10.0.0.0/7", false),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "9.255.255.255", false),
            ("::/0", "10.0.0.1", false),
            ("0.0.0.0/0", "::1", false),
        ] {
            assert_eq!(network(outer).contains(&network(inner)), expected, "{outer} {inner}");
        }
    }
}
