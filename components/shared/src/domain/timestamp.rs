//! Points in time, as the contract spells them.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use std::fmt;

/// The years that both RFC 3339 and PostgreSQL can write.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// The first and the last moment that an answer can name, and what the tables have in their place: the .NET driver stores its
/// least and greatest date so, and `infra/migrations/0013_times_and_amounts.sql` whatever else is that moment.
const ENDS: [(&str, &str); 2] = [("0001-01-01T00:00:00Z", "-infinity"), ("9999-12-31T23:59:59.999999Z", "infinity")];

/// A point in time in UTC, to the microsecond that PostgreSQL keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Reads an RFC 3339 time; one without an offset is UTC, a date alone is its midnight. `None` for anything else and
    /// outside the years 1 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        // chrono's %Y also takes signs and short years; RFC 3339 has exactly `YYYY-MM-DD`.
        let shape = text.as_bytes().get(..10)?;
        let is_date = shape.iter().enumerate().all(|(i, byte)| match i {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        if !is_date {
            return None;
        }
        let instant = if let Ok(with_offset) = DateTime::parse_from_rfc3339(text) {
            with_offset.with_timezone(&Utc)
        } else if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            date.and_time(NaiveTime::MIN).and_utc()
        } else {
            ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
                .iter()
                .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?
                .and_utc()
        };
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
    fn what_is_no_time_or_no_year_of_ours_is_refused() {
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
