//! Numbers as conditions compare them.
//!
//! It is not documented whether IAM compares numbers exactly or as 64-bit floating-point numbers, which round beyond 2^53.
//! A [`Number`] holds both.
//!
//! Source: IAM User Guide, "Numeric condition operators"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Numeric>).

use std::cmp::Ordering;
use std::fmt;

/// The most digits that are written in front of or behind the decimal point; numbers that need more get an exponent.
const MOST_PLACES: i64 = 400;

/// A decimal number of any length.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    negative: bool,
    /// The digits without leading and trailing zeros, as ASCII. The number is `0.DIGITS` times ten to the power of `point`.
    digits: String,
    point: i64,
    rounded: f64,
}

impl Number {
    /// Parses digits with a sign, a fraction, an exponent. `inf` and `NaN` are numbers to Rust only, and not here.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E')) {
            return None;
        }
        let rounded = text.parse().ok()?;
        let unsigned = text.trim_start_matches(['+', '-']);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let leading_zeros = all.len() - significant.len();
        let digits = significant.trim_end_matches('0').to_owned();
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading_zeros).ok()?;
        let point = if digits.is_empty() { 0 } else { point.checked_add(exponent.parse().ok()?)? };
        Some(Self { negative: text.starts_with('-') && !digits.is_empty(), digits, point, rounded })
    }

    /// The order of two numbers, compared exactly and as rounded numbers.
    pub fn compare(&self, other: &Self) -> [Ordering; 2] {
        [self.cmp_exact(other), self.rounded.total_cmp(&other.rounded)]
    }

    fn cmp_exact(&self, other: &Self) -> Ordering {
        // By sign, magnitude and digits. Zero has no digits and lies between the signs.
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = |number: &Self| (number.point, number.digits.clone());
        sign(self).cmp(&sign(other)).then_with(|| {
            let by_size = size(self).cmp(&size(other));
            if self.negative { by_size.reverse() } else { by_size }
        })
    }

    /// The largest integer that is at most the number times ten to the power of `places`. `None` if it is very large.
    pub fn floor(&self, places: u8) -> Option<i128> {
        let length = self.point.checked_add(i64::from(places))?;
        if length > 37 {
            return None;
        }
        let length = usize::try_from(length).unwrap_or(0);
        let (kept, cut) = self.digits.split_at(length.min(self.digits.len()));
        let size: i128 = format!("0{kept:0<length$}").parse().ok()?;
        Some(if self.negative { -size - i128::from(!cut.is_empty()) } else { size })
    }

    /// The number of decimal digits, without leading and trailing zeros.
    pub fn digit_count(&self) -> usize {
        self.digits.len()
    }

    /// The number of digits behind the decimal point.
    pub fn places(&self) -> i64 {
        i64::try_from(self.digits.len()).unwrap_or(i64::MAX).saturating_sub(self.point).max(0)
    }

    /// The nearest smaller and the nearest larger floating-point number.
    pub fn neighbours(&self) -> Vec<String> {
        let both = [self.rounded.next_down(), self.rounded.next_up()].into_iter();
        both.filter(|number| number.is_finite()).map(|number| number.to_string()).collect()
    }

    /// A number a little further from zero, by a one after so many decimal places; for zero, one of each sign.
    pub fn just_beyond(&self, places: i64) -> Vec<String> {
        let text = self.to_string();
        if text.contains('e') {
            return Vec::new();
        }
        let dot = if text.contains('.') { "" } else { "." };
        let zeros = usize::try_from(places - self.places()).unwrap_or(0);
        let signs: &[&str] = if self.digits.is_empty() { &["", "-"] } else { &[""] };
        signs.iter().map(|sign| format!("{sign}{text}{dot}{:0<zeros$}1", "")).collect()
    }
}

/// Without an exponent, unless the number is very large or very small.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { negative, digits, point, .. } = self;
        let sign = if *negative { "-" } else { "" };
        if point.abs() > MOST_PLACES {
            return write!(f, "{sign}0.{digits}e{point}");
        }
        let length = usize::try_from(*point).unwrap_or(0);
        let (whole, fraction) = digits.split_at(length.min(digits.len()));
        let zeros = usize::try_from(-point).unwrap_or(0);
        let whole = if length == 0 { "0" } else { whole };
        let dot = if fraction.is_empty() { "" } else { "." };
        let zeros = if fraction.is_empty() { 0 } else { zeros };
        write!(f, "{sign}{whole:0<length$}{dot}{:0<zeros$}{fraction}", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_compared_exactly_and_rounded() {
        use Ordering::{Equal, Less};
        for (small, large, rounded) in [
            ("-1", "0", Less),
            ("-2", "-1", Less),
            ("0", "1", Less),
            ("9", "10", Less),
            ("1.5", "1.50000001", Less),
            ("-0.001", "-0.0001", Less),
            ("9e2", "1000", Less),
            ("9007199254740992", "9007199254740993", Equal),
            ("0.1", "0.10000000000000000001", Equal),
            ("1e400", "1e500", Equal),
        ] {
            assert_eq!(number(small).compare(&number(large)), [Less, rounded], "{small} {large}");
            assert_eq!(number(large).compare(&number(small)), [Less.reverse(), rounded.reverse()], "{large} {small}");
        }
        for (one, other) in [("1", "1.0"), ("+1", "1"), ("100", "1e2"), ("0.5", ".5"), ("0", "-0"), ("0e9", "0")] {
            assert_eq!(number(one).compare(&number(other))[0], Equal, "{one} {other}");
        }
    }

    #[test]
    fn text_other_than_a_number_is_refused() {
        for text in ["", "-", ".", "e5", "1e", "1 2", "0x1", "inf", "NaN", "1e99999999999999999999", "--1"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn number_is_written_without_an_exponent() {
        for (text, written) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("007", "7"),
            ("1200", "1200"),
            ("1.20", "1.2"),
            ("-0.05", "-0.05"),
            ("12e-1", "1.2"),
            ("5e3", "5000"),
            ("1e500", "0.1e501"),
        ] {
            assert_eq!(number(text).to_string(), written, "{text}");
        }
    }

    #[test]
    fn floor_of_a_number_is_below_it() {
        for (text, places, floor) in [
            ("1.5", 0, 1),
            ("-1.5", 0, -2),
            ("-1", 0, -1),
            ("1.5", 3, 1500),
            ("-0.00049", 3, -1),
            ("0.00049", 3, 0),
            ("0", 9, 0),
            ("12345", 0, 12345),
            ("120", 0, 120),
        ] {
            assert_eq!(number(text).floor(places), Some(floor), "{text}");
        }
        assert_eq!(number("1e38").floor(0), None);
    }
}
