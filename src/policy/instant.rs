//! Instants as conditions compare them: dates, and seconds since 1970.
//!
//! Some texts have several readings, because AWS does not document what IAM does with them. [`readings`] lists them.
//! It is not documented either whether IAM compares fractions of milliseconds; [`Instant::compare`] does both.
//!
//! Sources: IAM User Guide, "Date condition operators"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Date>),
//! and the W3C's profile of ISO 8601 (<https://www.w3.org/TR/NOTE-datetime>).

use std::cmp::Ordering;

use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, Month, OffsetDateTime, Time};

use super::number::Number;

const NANOSECONDS: i128 = 1_000_000_000;

/// An instant, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub i128);

impl Instant {
    /// The instant so many seconds after 1970.
    pub fn from_seconds(seconds: impl Into<i128>) -> Self {
        Self(seconds.into() * NANOSECONDS)
    }

    /// The start of the instant's millisecond.
    pub fn millisecond(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1_000_000))
    }

    /// The whole seconds since 1970.
    pub fn seconds(self) -> i128 {
        self.0.div_euclid(NANOSECONDS)
    }

    /// The order of two instants, compared exactly and cut to milliseconds.
    pub fn compare(self, other: Self) -> [Ordering; 2] {
        [self.cmp(&other), self.millisecond().cmp(&other.millisecond())]
    }

    /// The instant as a date with a zone. `None` if it is not in the years 0 to 9999 in any zone.
    pub fn date(self) -> Option<String> {
        const FARTHEST: i128 = (23 * 60 + 59) * 60;
        let zones = [(0, "Z"), (FARTHEST, "+23:59"), (-FARTHEST, "-23:59")];
        zones.iter().find_map(|(shift, zone)| {
            let local = OffsetDateTime::from_unix_timestamp_nanos(self.0 + shift * NANOSECONDS).ok()?;
            Some(local.format(&Rfc3339).ok()?.replace('Z', zone))
        })
    }
}

/// Formats seconds since 1970 as requests do: a date in UTC, to the second.
pub fn date(seconds: &str) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds.parse().ok()?).ok()?.format(&Rfc3339).ok()
}

/// The instants that a text can be; `None` among them if the text may be no instant.
///
/// - Four digits are a year or seconds.
/// - A date with a time and without a zone is in UTC, or no instant.
/// - Seconds with a plus sign, or with more digits than 64 bits hold, are seconds, or no instant.
pub fn readings(text: &str) -> Vec<Option<Instant>> {
    let text = text.trim();
    let date = calendar_date(text);
    let seconds = Number::parse(text).filter(|_| !text.contains(['e', 'E']));
    let seconds = seconds.and_then(|number| number.floor(9)).map(Instant);
    let in_utc = || calendar_date(&format!("{text}Z"));
    match (date, seconds) {
        (Some(_), Some(_)) => vec![date, seconds],
        (Some(_), None) => vec![date],
        (None, Some(instant)) if text.starts_with('+') || i64::try_from(instant.seconds()).is_err() => {
            vec![seconds, None]
        }
        (None, Some(_)) => vec![seconds],
        (None, None) => in_utc().map(Some).into_iter().chain([None]).collect(),
    }
}

/// Parses a date, with a time and a zone or without both.
fn calendar_date(text: &str) -> Option<Instant> {
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    if !date.bytes().all(|c| c.is_ascii_digit() || c == b'-') {
        return None;
    }
    let year = parts.next()?;
    let month = parts.next().unwrap_or("01");
    let day = parts.next().unwrap_or("01");
    if year.len() != 4 || month.len() != 2 || day.len() != 2 || parts.next().is_some() {
        return None;
    }
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    let Some(time) = time else {
        return Some(Instant(date.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp_nanos()));
    };
    // The fraction of a second may have any number of digits. The parser of `time` would round them.
    let (time, fraction) = match time.split_once(['.', ',']) {
        Some((whole, rest)) if whole.len() == "00:00:00".len() => {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (fraction, zone) = rest.split_at_checked(digits).filter(|(digits, _)| !digits.is_empty())?;
            (format!("{whole}{zone}"), Number::parse(&format!("0.{fraction}"))?.floor(9)?)
        }
        _ => (time.to_owned(), 0),
    };
    let full = format!("{date}T{}", time.to_ascii_uppercase());
    Some(Instant(OffsetDateTime::parse(&full, &Iso8601::PARSING).ok()?.unix_timestamp_nanos() + fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The readings of a text, in seconds.
    fn seconds(text: &str) -> Vec<Option<f64>> {
        readings(text).into_iter().map(|one| one.map(|instant| instant.0 as f64 / 1e9)).collect()
    }

    #[test]
    fn certain_text_has_one_reading() {
        for (text, expected) in [
            ("1970-01-01", 0.0),
            ("1970-01", 0.0),
            ("1970-01-02T00:00Z", 86_400.0),
            ("1970-01-01t00:00:05z", 5.0),
            ("1970-01-01T01:00:00+01:00", 0.0),
            ("1969-12-31T23:59:59.75Z", -0.25),
            ("1970-01-01T00:00:00.9999999999Z", 0.999_999_999),
            ("5", 5.0),
            ("-2030", -2030.0),
            ("02030", 2030.0),
            ("1.5", 1.5),
            ("1.25", 1.25),
            (" 7 ", 7.0),
        ] {
            assert_eq!(seconds(text), [Some(expected)], "{text}");
        }
    }

    #[test]
    fn doubtful_text_has_several_readings() {
        assert_eq!(seconds("1971"), [Some(31_536_000.0), Some(1971.0)]);
        assert_eq!(seconds("+1971"), [Some(1971.0), None]);
        assert_eq!(seconds("1970-01-01T00:00:05"), [Some(5.0), None]);
        assert_eq!(seconds("1970-01-01T00:00:05.5"), [Some(5.5), None]);
    }

    #[test]
    fn text_other_than_an_instant_has_no_reading() {
        for text in [
            "",
            "+",
            "-",
            ".",
            "1e5",
            "app",
            "1970-1-1",
            "1970-13-01",
            "70-01-01",
            "+970-01-01",
            "1970-01-01T",
            "1970-01-01T00:00:00.Z",
        ] {
            assert_eq!(seconds(text), [None], "{text}");
        }
    }

    #[test]
    fn instant_is_written_as_a_date_that_reads_back() {
        for (nanoseconds, written) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (253_402_300_800 * NANOSECONDS, "9999-12-31T00:01:00-23:59"),
            (-62_167_219_201 * NANOSECONDS, "0000-01-01T23:58:59+23:59"),
        ] {
            assert_eq!(Instant(nanoseconds).date().as_deref(), Some(written));
            assert_eq!(readings(written), [Some(Instant(nanoseconds))], "{written}");
        }
        assert_eq!(Instant::from_seconds(i64::MAX).date(), None);
    }
}
