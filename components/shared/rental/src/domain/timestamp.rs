//! Points in time, as the contract spells them.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveTime, Offset, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use std::fmt;

/// The years that both RFC 3339 and PostgreSQL can write.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;
/// What PostgreSQL keeps of a second's fraction.
const FRACTION_DIGITS: usize = 6;
const MICROS_PER_SECOND: u32 = 1_000_000;

/// The first and the last moment that an answer can name, and what the tables have in their place: the .NET driver stores its
/// least and greatest date so, and `infra/migrations/0013_times_and_amounts.sql` whatever else is that moment.
const ENDS: [(&str, &str); 2] = [("0001-01-01T00:00:00Z", "-infinity"), ("9999-12-31T23:59:59.999999Z", "infinity")];

/// A point in time in UTC, to the microsecond that PostgreSQL keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Reads an RFC 3339 time (section 5.6). What RentTracker's backend takes besides (System.Text.Json's `JsonHelpers.Date.cs`)
    /// is taken too: seconds, the offset, its minutes and the whole time of day may be left out. Without an offset it is UTC.
    /// `None` for anything else and outside the years 1 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text.as_bytes());
        let (year, month, day) = (rest.number(4)?, rest.after(b"-", 2)?, rest.after(b"-", 2)?);
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        if rest.0.is_empty() {
            return Self::from_instant(date.and_time(NaiveTime::MIN).and_utc());
        }
        let (hour, minute) = (rest.after(b"Tt ", 2)?, rest.after(b":", 2)?);
        let (second, micros) = match rest.0.first() {
            Some(b':') => (rest.after(b":", 2)?, rest.fraction()?),
            _ => (0, 0),
        };
        let offset = rest.offset()?;
        // A leap second is written as 60, and counted as the next one's beginning.
        let (second, micros) = if second == 60 { (59, micros + MICROS_PER_SECOND) } else { (second, micros) };
        let local = date.and_time(NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?);
        Self::from_instant(local.and_local_timezone(offset).single()?.to_utc())
    }

    fn from_instant(instant: DateTime<Utc>) -> Option<Self> {
        Self::from_unix_micros(instant.timestamp_micros())
    }

    /// From microseconds since 1970-01-01T00:00:00Z; `None` outside the years 1 to 9999.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        let instant = DateTime::from_timestamp_micros(micros)?;
        YEARS.contains(&instant.year()).then_some(Self(instant))
    }

    /// How a statement names the moment that an answer spells like this, to find it in the tables.
    pub fn in_tables(spelling: &str) -> &str {
        ENDS.iter().find(|(answered, _)| *answered == spelling).map_or(spelling, |(_, stored)| stored)
    }
}

/// What of a text has not been read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// A number of exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
    }

    /// A number behind one of these characters.
    fn after(&mut self, separators: &[u8], digits: usize) -> Option<u32> {
        let (separator, rest) = self.0.split_first()?;
        self.0 = rest;
        if separators.contains(separator) { self.number(digits) } else { None }
    }

    /// The fraction of a second in microseconds, further digits cut off; 0 when there is none.
    fn fraction(&mut self) -> Option<u32> {
        let Some(behind_point) = self.0.strip_prefix(b".") else {
            return Some(0);
        };
        let length = behind_point.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = behind_point.split_at_checked(length)?;
        self.0 = rest;
        let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(FRACTION_DIGITS);
        (length > 0).then(|| padded.fold(0, |value, byte| value * 10 + u32::from(byte - b'0')))
    }

    /// The offset from UTC, which is the last of a text; UTC when there is none.
    fn offset(&mut self) -> Option<FixedOffset> {
        let (sign, is_east) = match self.0 {
            [] | [b'Z' | b'z'] => return Some(Utc.fix()),
            [sign @ (b'+' | b'-'), ..] => (&[*sign], *sign == b'+'),
            _ => return None,
        };
        let hours = self.after(sign, 2).filter(|hours| *hours < 24)?;
        let minutes = if self.0.is_empty() { 0 } else { self.after(b":", 2).filter(|minutes| *minutes < 60)? };
        let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
        let offset = FixedOffset::east_opt(if is_east { seconds } else { -seconds })?;
        self.0.is_empty().then_some(offset)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with `Z`, and no more of the second's fraction than there is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Timestamp::parse(text).map(|t| t.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn times_are_answered_in_utc_with_z() {
        check("2026-03-01T10:00:00Z", Some("2026-03-01T10:00:00Z"));
        check("2026-03-01T10:00:00+02:00", Some("2026-03-01T08:00:00Z"));
        check("2026-03-01T10:00:00.1234567Z", Some("2026-03-01T10:00:00.123456Z"));
        check("2026-03-01T10:00:00.5", Some("2026-03-01T10:00:00.500Z"));
        check("2026-03-01T10:00:00", Some("2026-03-01T10:00:00Z"));
        check("2026-03-01T10:00", Some("2026-03-01T10:00:00Z"));
        check("2026-03-01", Some("2026-03-01T00:00:00Z"));
        check("0001-01-01T00:00:00", Some("0001-01-01T00:00:00Z"));
        check("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59Z"));
    }

    #[test]
    fn the_ends_of_time_as_net_writes_them_are_those_of_the_tables() {
        // System.Text.Json of DateTime.MinValue and MaxValue, and of DateTimeOffset's.
        for (written, stored) in [
            ("0001-01-01T00:00:00", "-infinity"),
            ("0001-01-01T00:00:00+00:00", "-infinity"),
            ("9999-12-31T23:59:59.9999999", "infinity"),
            ("9999-12-31T23:59:59.9999999+00:00", "infinity"),
            ("9999-12-31T23:59:59.999999Z", "infinity"),
            ("9999-12-31T23:59:59.999998Z", "9999-12-31T23:59:59.999998Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("2026-03-01", "2026-03-01T00:00:00Z"),
        ] {
            let answered = Timestamp::parse(written).expect(written).to_string();
            assert_eq!(Timestamp::in_tables(&answered), stored, "{written}");
        }
        // What unix_micros answers for them.
        assert_eq!(
            Timestamp::from_unix_micros(-62_135_596_800_000_000).map(|t| t.to_string()).as_deref(),
            Some(ENDS[0].0)
        );
        assert_eq!(
            Timestamp::from_unix_micros(253_402_300_799_999_999).map(|t| t.to_string()).as_deref(),
            Some(ENDS[1].0)
        );
    }

    #[test]
    fn what_may_be_left_out_may_be_left_out_of_any_time() {
        // System.Text.Json's forms, each with each of its offsets.
        for (time, utc) in [("T10:00", "T10:00:00"), ("T10:00:30", "T10:00:30"), ("T10:00:30.5", "T10:00:30.500")] {
            for (offset, date, hours) in [
                ("", "2024-01-01", 10),
                ("Z", "2024-01-01", 10),
                ("+00:00", "2024-01-01", 10),
                ("-00:00", "2024-01-01", 10),
                ("+10:00", "2024-01-01", 0),
                ("+10", "2024-01-01", 0),
                ("-14:00", "2024-01-02", 0),
            ] {
                let expected = format!("{date}{}Z", utc.replacen("10", &format!("{hours:02}"), 1));
                check(&format!("2024-01-01{time}{offset}"), Some(&expected));
            }
        }
        // The greatest of .NET, which counts a digit more; RFC 3339's small letters, space and leap second.
        check("9999-12-31T23:59:59.9999999Z", Some("9999-12-31T23:59:59.999999Z"));
        check("2024-01-01T10:00:00.1234567890123456+10:00", Some("2024-01-01T00:00:00.123456Z"));
        check("2024-01-01t10:00z", Some("2024-01-01T10:00:00Z"));
        check("2024-01-01 10:00:00Z", Some("2024-01-01T10:00:00Z"));
        check("2016-12-31T23:59:60Z", Some("2017-01-01T00:00:00Z"));
        check("2016-12-31T23:59:60.5Z", Some("2017-01-01T00:00:00.500Z"));
    }

    #[test]
    fn a_text_that_is_no_time_or_has_a_year_out_of_bounds_is_refused() {
        for bad in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-13-01",
            "26-1-1",
            "+2026-01-01",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00+01:00",
            "2026-03-01T25:00:00Z",
            "2026-03-01T10:00:00Zjunk",
            "2026-03-01T24:00:00Z",
            "2026-03-01T10:60Z",
            "2026-03-01T10:00:61Z",
            "2026-03-01T10:00:00.Z",
            "2026-03-01T10:00:00,5Z",
            "2026-03-01T10:00.5Z",
            "2026-03-01T10Z",
            "2026-03-01T",
            "2026-03-01Z",
            "2026-03-01T1:0Z",
            "2026-03-01T1000Z",
            "2026-03-01T10:00+24:00",
            "2026-03-01T10:00+10:60",
            "2026-03-01T10:00+1000",
            "2026-03-01T10:00+1",
            "2026-03-01T10:00+10:00:00",
            "2026-03-01T10:00 +10:00",
            " 2026-03-01",
            "2026-03-01 ",
            "2026-03",
        ] {
            check(bad, None);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = Timestamp::parse(&text);
        }
    }
}
