//! Values of conditions: numbers, dates, booleans, addresses, bytes, texts without letter case.
//!
//! A text that is not a value of its type gives `None`. Where the documentation leaves open how a text becomes a value, a
//! function takes the reading as an argument or returns all readings. Source: IAM User Guide, "IAM JSON policy elements:
//! Condition operators".

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A number or an instant, in units of 10⁻⁹.
pub type Fixed = i128;

const UNIT: Fixed = 1_000_000_000;
const MILLISECOND: Fixed = 1_000_000;

/// An integer or decimal number of any length.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    negative: bool,
    /// Without leading zeros.
    whole: String,
    /// Without trailing zeros.
    fraction: String,
    /// The nearest number in double precision.
    rounded: f64,
}

/// Digits with an optional sign, an optional decimal point, and an optional exponent.
pub fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok().filter(|exponent| exponent.abs() < 1_000)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !all_digits(&format!("{whole}{fraction}")) {
        return None;
    }
    // Moves the decimal point.
    let (mut whole, mut fraction) = (whole.to_owned(), fraction.to_owned());
    for _ in 0..exponent.max(0) {
        whole.push(if fraction.is_empty() { '0' } else { fraction.remove(0) });
    }
    for _ in exponent..0 {
        fraction.insert(0, whole.pop().unwrap_or('0'));
    }
    let (whole, fraction) = (whole.trim_start_matches('0').to_owned(), fraction.trim_end_matches('0').to_owned());
    let zero = whole.is_empty() && fraction.is_empty();
    Some(Number { negative: text.starts_with('-') && !zero, whole, fraction, rounded: text.parse().ok()? })
}

impl Number {
    /// Compares all digits.
    pub fn exact(&self, other: &Number) -> Ordering {
        let size = |one: &Number| (one.whole.len(), one.whole.clone(), one.fraction.clone());
        match (self.negative, other.negative) {
            (false, false) => size(self).cmp(&size(other)),
            (true, true) => size(other).cmp(&size(self)),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    /// Compares in double precision.
    pub fn rounded(&self, other: &Number) -> Ordering {
        self.rounded.partial_cmp(&other.rounded).unwrap_or(Ordering::Equal)
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// How a text becomes a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateReading {
    /// Fractions of a millisecond are cut off.
    cut: bool,
    /// A time without zone is UTC. Otherwise it is no date.
    utc: bool,
    /// Epoch seconds may begin with `+`.
    plus: bool,
    /// Four digits are a year. Otherwise they are seconds.
    year: bool,
    /// Epoch seconds may have more digits than 64 bits hold.
    large: bool,
}

/// One reading for ordinary texts; all readings if one of the texts is unusual.
pub fn date_readings(texts: &[&str]) -> Vec<DateReading> {
    let unusual = |text: &&str| {
        let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
        let fraction = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let zone = text.rfind('T').is_none_or(|at| text[at..].contains(['Z', '+', '-']));
        let large = epoch(text, true).is_some() && epoch(text, false).is_none();
        text.len() == 4 || fraction > 3 || !zone || text.starts_with('+') || large
    };
    let all = if texts.iter().any(unusual) { 32 } else { 1 };
    let bit = |case: u8, place: u8| case >> place & 1 == 0;
    (0..all)
        .map(|case| DateReading {
            cut: bit(case, 0),
            utc: bit(case, 1),
            plus: bit(case, 2),
            year: bit(case, 3),
            large: bit(case, 4),
        })
        .collect()
}

/// A date as AWS writes it.
pub fn instant(text: &str) -> Option<Fixed> {
    date(text, DateReading { cut: false, utc: true, plus: true, year: true, large: true })
}

/// W3C's profile of ISO 8601, or seconds since 1970.
pub fn date(text: &str, reading: DateReading) -> Option<Fixed> {
    let found = if text.len() == 4 && reading.year { w3c_date(text) } else { None };
    let seconds = || if text.starts_with('+') && !reading.plus { None } else { epoch(text, reading.large) };
    // W3C's profile requires a time zone. Without one, UTC is probably meant.
    let without_zone = || if reading.utc { w3c_date(&format!("{text}Z")) } else { None };
    let instant = found.or_else(seconds).or_else(|| w3c_date(text)).or_else(without_zone)?;
    Some(if reading.cut { instant.div_euclid(MILLISECOND) * MILLISECOND } else { instant })
}

/// Seconds since 1970, perhaps with decimal places.
fn epoch(text: &str, large: bool) -> Option<Fixed> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    if !all_digits(whole) || !all_digits(fraction) || !large && whole.parse::<i64>().is_err() {
        return None;
    }
    let value = whole.parse::<Fixed>().ok()?.checked_mul(UNIT)? + billionths(fraction)?;
    Some(if text.starts_with('-') { -value } else { value })
}

/// Decimal places, in units of 10⁻⁹.
fn billionths(fraction: &str) -> Option<Fixed> {
    format!("{fraction:0<9}").get(..9)?.parse().ok()
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
            if !all_digits(fraction) {
                return None;
            }
            two_or_four(whole, 2)? * UNIT + billionths(fraction)?
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

/// The Gregorian calendar repeats after 400 years.
const DAYS_IN_400_YEARS: Fixed = 146_097;

fn days_since_1970(year: Fixed, month: Fixed, day: Fixed) -> Fixed {
    let years: Fixed = (year.min(1970)..year.max(1970)).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months: Fixed = (1..month).map(|month| days_in(year, month)).sum();
    (if year < 1970 { -years } else { years }) + months + day - 1
}

/// An instant as `aws:CurrentTime` shows it.
pub fn show_instant(epoch_seconds: i64) -> String {
    let seconds = epoch_seconds.rem_euclid(86_400);
    let days = Fixed::from(epoch_seconds.div_euclid(86_400));
    let (mut year, mut days) = (1970 + 400 * days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
    let length = |year: Fixed| if leap(year) { 366 } else { 365 };
    while days >= length(year) {
        days -= length(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{year:04}-{month:02}-{:02}T{hours:02}:{minutes:02}:{:02}Z", days + 1, seconds % 60)
}

/// `true` in any letter case is true. Every other text is false.
pub fn boolean(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

/// What a leading zero before other digits means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zero {
    /// `010` is 10.
    Decimal,
    /// `010` is 8.
    Octal,
    /// `010` is no number, but `001` is 1.
    Nothing,
}

/// How a text becomes an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressReading {
    zero: Zero,
    /// An IPv4-mapped IPv6 address in a request is its IPv4 address.
    mapped: bool,
    /// The same in a policy.
    mapped_network: bool,
    /// The length of a prefix may have leading zeros.
    padded: bool,
    /// A request's address may have leading zeros.
    zeros: bool,
    /// A request's value with a mask is no address. Otherwise it is the address before the mask.
    masks: bool,
    /// An IPv6 address without mask is one address. Otherwise its mask is `/32`, which IAM documents for addresses.
    single: bool,
}

/// One reading for ordinary texts; all readings if one of the texts is unusual.
pub fn address_readings(value: &str, constant: &str) -> Vec<AddressReading> {
    let zeros = |text: &str| {
        let mut digits = text.split(['.', '/', ':']);
        digits.any(|digits| digits.len() > 1 && digits.starts_with('0'))
    };
    let mapped = |text: &str| text.contains(':') && text.to_lowercase().contains("ffff");
    let unusual = [value, constant].into_iter().any(|text| zeros(text) || mapped(text))
        || value.contains('/')
        || constant.contains(':') && !constant.contains('/');
    let bit = |case: u8, place: u8| case >> place & 1 == 0;
    let zeros = if unusual { &[Zero::Decimal, Zero::Octal, Zero::Nothing][..] } else { &[Zero::Decimal] };
    let rest = (0..if unusual { 64 } else { 1 }).flat_map(|case| {
        zeros.iter().map(move |zero| AddressReading {
            zero: *zero,
            mapped: bit(case, 0),
            mapped_network: bit(case, 1),
            padded: bit(case, 2),
            zeros: bit(case, 3),
            masks: bit(case, 4),
            single: bit(case, 5),
        })
    });
    rest.collect()
}

/// Four numbers of one to three digits. `None` also for digits that are not octal where the reading is octal.
fn ipv4(text: &str, reading: AddressReading) -> Option<Ipv4Addr> {
    let octet = |digits: &str| -> Option<u8> {
        if !all_digits(digits) || digits.len() > 3 {
            return None;
        }
        let decimal = digits.parse().ok();
        // Below 8, octal and decimal numbers are the same.
        match reading.zero {
            _ if digits.len() == 1 || !digits.starts_with('0') || decimal.is_some_and(|number| number < 8) => decimal,
            Zero::Decimal => decimal,
            Zero::Octal => u8::from_str_radix(digits, 8).ok(),
            Zero::Nothing => None,
        }
    };
    let octets: Vec<u8> = text.split('.').map(octet).collect::<Option<_>>()?;
    <[u8; 4]>::try_from(octets).ok().map(Ipv4Addr::from)
}

fn ip(text: &str, mapped: bool, reading: AddressReading) -> Option<IpAddr> {
    if !text.contains(':') {
        return ipv4(text, reading).map(IpAddr::V4);
    }
    let address: Ipv6Addr = text.parse().ok()?;
    match address.to_ipv4_mapped() {
        Some(inner) if mapped => Some(IpAddr::V4(inner)),
        _ => Some(IpAddr::V6(address)),
    }
}

/// The address in a request.
pub fn address(text: &str, reading: AddressReading) -> Option<IpAddr> {
    let text = match text.split_once('/') {
        Some((address, _)) if !reading.masks => address,
        _ => text,
    };
    let padded = |digits: &str| digits.len() > 1 && digits.starts_with('0');
    if !text.contains(':') && !reading.zeros && text.split('.').any(padded) {
        return None;
    }
    ip(text, reading.mapped, reading)
}

/// Whether the network in a policy contains the address in a request. `None` if one of them is none.
pub fn within(value: &str, constant: &str, reading: AddressReading) -> Option<bool> {
    let (base, mask) = constant.split_once('/').unwrap_or((constant, ""));
    let network = ip(base, reading.mapped_network, reading)?;
    let mut longest = if base.contains(':') { 128 } else { 32 };
    let mut length: u32 = match mask {
        "" if constant.contains('/') => return None,
        "" if base.contains(':') && !reading.single => 32,
        "" => longest,
        mask if mask.len() > 1 && mask.starts_with('0') && !reading.padded => return None,
        mask if mask.len() <= 3 && all_digits(mask) => mask.parse().ok()?,
        _ => return None,
    };
    if length > longest {
        return None;
    }
    let mut network = network;
    if base.contains(':') && network.is_ipv4() {
        // The IPv4 part of a mapped address are its last 32 bits.
        if length >= 96 {
            (length, longest) = (length - 96, 32);
        } else {
            network = IpAddr::V6(base.parse().ok()?);
        }
    }
    let first = |bits: u128| bits.checked_shr(longest - length).unwrap_or(0);
    let address = address(value, reading)?;
    Some(match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            first(u32::from(network).into()) == first(u32::from(address).into())
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => first(network.into()) == first(address.into()),
        _ => false,
    })
}

/// The bytes of a Base64 text. The padding may be missing.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if digits.len() % 4 == 1 || padding > 0 && (padding > 2 || !text.len().is_multiple_of(4)) {
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

/// A text without letter case, in each reading: the lower case of each UTF-16 unit, or the lower or upper case of each
/// character by Unicode's rules.
pub fn without_case(text: &str) -> [Vec<String>; 3] {
    let unit = |character: char| match character {
        // A letter outside the Basic Multilingual Plane is two units, which have no lower case.
        '\u{10000}'.. => character,
        _ => character.to_lowercase().next().unwrap_or(character),
    };
    [
        text.chars().map(|character| unit(character).to_string()).collect(),
        text.chars().map(|character| character.to_lowercase().collect()).collect(),
        text.chars().map(|character| character.to_uppercase().collect()).collect(),
    ]
}

/// Each UTF-16 unit of a text as one character. The halves of a pair become private characters.
pub fn units(text: &str) -> String {
    text.encode_utf16()
        .map(|unit| char::from_u32(unit.into()).unwrap_or_else(|| char::from_u32(0xF_0000 + u32::from(unit)).unwrap()))
        .collect()
}
