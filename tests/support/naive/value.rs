//! Values of conditions: numbers, dates, booleans, addresses, bytes.
//!
//! A value that is not of its operator's type gives `None`. A value with two readings gives two results. Source: IAM User Guide, "IAM JSON policy elements: Condition operators".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A number or an instant, in units of 10⁻⁹.
pub type Fixed = i128;

const UNIT: Fixed = 1_000_000_000;

/// An integer or decimal number.
pub fn number(text: &str) -> Option<Fixed> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    if whole.len() > 18 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    // A unit is 10⁻⁹, so only zeros can follow the ninth decimal place.
    let (kept, cut) = fraction.split_at(fraction.len().min(9));
    if cut.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let value = whole.parse::<Fixed>().ok()? * UNIT + format!("{kept:0<9}").parse::<Fixed>().ok()?;
    Some(if negative { -value } else { value })
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The readings of a date: W3C's profile of ISO 8601, or seconds since 1970.
pub fn dates(text: &str) -> Vec<Option<Fixed>> {
    if let Some(seconds) = number(text) {
        // `2020` may be a year, or seconds since 1970.
        let year = if text.len() == 4 { w3c_date(text) } else { None };
        return year.into_iter().chain([seconds]).map(Some).collect();
    }
    if let Some(instant) = w3c_date(text) {
        return vec![Some(instant)];
    }
    // W3C's profile requires a time zone. Without one, UTC is probably meant.
    match w3c_date(&format!("{text}Z")) {
        Some(instant) => vec![Some(instant), None],
        None => vec![None],
    }
}

/// `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, or a date with `Thh:mm`, `:ss`, `.s…` and a time zone.
fn w3c_date(text: &str) -> Option<Fixed> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut numbers = date.split('-');
    let year = two_or_four(numbers.next()?, 4)?;
    let month = numbers.next().map_or(Some(1), |text| two_or_four(text, 2))?;
    let day = numbers.next().map_or(Some(1), |text| two_or_four(text, 2))?;
    if numbers.next().is_some() || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let midnight = days_since_1970(year, month, day) * 86_400 * UNIT;
    match time {
        None => Some(midnight),
        Some(time) if date.len() == 10 => Some(midnight + time_of_day(time)?),
        Some(_) => None,
    }
}

fn two_or_four(text: &str, length: usize) -> Option<Fixed> {
    if text.len() == length && all_digits(text) { text.parse().ok() } else { None }
}

fn time_of_day(text: &str) -> Option<Fixed> {
    let (clock, offset) = if let Some(clock) = text.strip_suffix('Z') {
        (clock, 0)
    } else {
        let at = text.rfind(['+', '-'])?;
        let (hours, minutes) = text[at + 1..].split_once(':')?;
        let (hours, minutes) = (two_or_four(hours, 2)?, two_or_four(minutes, 2)?);
        if hours > 23 || minutes > 59 {
            return None;
        }
        let offset = (hours * 60 + minutes) * 60;
        (&text[..at], if text[at..].starts_with('-') { -offset } else { offset })
    };
    let mut numbers = clock.split(':');
    let hours = two_or_four(numbers.next()?, 2)?;
    let minutes = two_or_four(numbers.next()?, 2)?;
    let seconds = match numbers.next() {
        None => 0,
        Some(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            two_or_four(whole, 2)?;
            number(&format!("{whole}.{fraction}"))?
        }
    };
    if numbers.next().is_some() || hours > 23 || minutes > 59 || seconds >= 60 * UNIT {
        return None;
    }
    Some((hours * 3_600 + minutes * 60 - offset) * UNIT + seconds)
}

fn leap(year: Fixed) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: Fixed, month: Fixed) -> Fixed {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: Fixed, month: Fixed, day: Fixed) -> Fixed {
    let years: Fixed = (year.min(1970)..year.max(1970)).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months: Fixed = (1..month).map(|month| days_in(year, month)).sum();
    (if year < 1970 { -years } else { years }) + months + day - 1
}

/// An instant as `aws:CurrentTime` shows it.
pub fn show_instant(epoch_seconds: i64) -> String {
    let (mut days, seconds) = (epoch_seconds.div_euclid(86_400), epoch_seconds.rem_euclid(86_400));
    let mut year = 1970;
    let length = |year: Fixed| if leap(year) { 366 } else { 365 };
    while days < 0 {
        year -= 1;
        days += length(year);
    }
    while days >= length(year) {
        days -= length(year);
        year += 1;
    }
    let mut month = 1;
    while Fixed::from(days) >= days_in(year, month) {
        days -= i64::try_from(days_in(year, month)).unwrap();
        month += 1;
    }
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{year:04}-{month:02}-{:02}T{hours:02}:{minutes:02}:{:02}Z", days + 1, seconds % 60)
}

/// The readings of a boolean. Only `true` and `false` are documented; `True` may or may not be read.
pub fn booleans(text: &str) -> Vec<Option<bool>> {
    match (text, text.to_lowercase().as_str()) {
        ("true", _) => vec![Some(true)],
        ("false", _) => vec![Some(false)],
        (_, "true") => vec![Some(true), None],
        (_, "false") => vec![Some(false), None],
        _ => vec![None],
    }
}

/// A network: an address and the length of its prefix in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// The readings of an address or network. "If you specify an IP address without the associated routing prefix, IAM uses
/// the default prefix value of /32": for IPv6 that is one address, or to the letter 2⁹⁶ of them.
pub fn networks(text: &str) -> Vec<Option<Network>> {
    let Some((address, prefix)) = text.split_once('/') else {
        return match text.parse() {
            Ok(address @ IpAddr::V4(_)) => vec![Some(Network { address, prefix: 32 })],
            Ok(address @ IpAddr::V6(_)) => {
                vec![Some(Network { address, prefix: 128 }), Some(Network { address, prefix: 32 })]
            }
            Err(_) => vec![None],
        };
    };
    let network = || {
        let address: IpAddr = address.parse().ok()?;
        let prefix = if prefix.len() <= 3 && all_digits(prefix) { prefix.parse().ok()? } else { return None };
        (prefix <= if address.is_ipv4() { 32 } else { 128 }).then_some(Network { address, prefix })
    };
    vec![network()]
}

/// Whether a network contains an address of the same IP version.
pub fn holds(network: Network, address: IpAddr) -> bool {
    match (network.address, address) {
        (IpAddr::V4(net), IpAddr::V4(one)) => first_bits_v4(net, network.prefix) == first_bits_v4(one, network.prefix),
        (IpAddr::V6(net), IpAddr::V6(one)) => first_bits_v6(net, network.prefix) == first_bits_v6(one, network.prefix),
        _ => false,
    }
}

fn first_bits_v4(address: Ipv4Addr, count: u32) -> Option<u32> {
    u32::from(address).checked_shr(32 - count)
}

fn first_bits_v6(address: Ipv6Addr, count: u32) -> Option<u128> {
    u128::from(address).checked_shr(128 - count)
}

/// The bytes of a Base64 text.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = alphabet.iter().position(|known| *known == digit)?;
        bits = (bits << 6 | u32::try_from(value).ok()?) & 0xFFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xFF).ok()?);
        }
    }
    Some(bytes)
}
