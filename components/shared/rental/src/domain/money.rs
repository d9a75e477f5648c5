//! Amounts of money.

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

/// Decimal places of `numeric(18,2)`.
const SCALE: i64 = 2;
/// Digits of `numeric(18,2)`.
const PRECISION: usize = 18;

/// An amount of money: at most 18 digits, two of them behind the point (`numeric(18,2)`). It is a decimal from the
/// client's text to the database and back, and never a binary float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
// No `multipleOf`: 0.01 has no exact binary float, and validators that reckon in those refuse every ninth amount in cents. No
// `double` either, of which generators make one. The document's text has the exact bounds (infra/openapi/src/main.rs).
#[cfg_attr(feature = "openapi", schema(value_type = f64, format = "decimal", minimum = -1e16, maximum = 1e16))]
pub struct Money(Decimal);

impl Money {
    /// Reads any JSON spelling of a number (RFC 8259, section 6) whose value has at most two decimals and lies between
    /// -9999999999999999.99 and 9999999999999999.99: `1.100` and `1e2` are fine, `0.001` is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()),
            None => (unsigned, Some(0)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0');
        let trimmed = significant.trim_end_matches('0');
        if trimmed.is_empty() {
            return Some(Self(Decimal::ZERO));
        }
        // The value is `trimmed` × 10^power: zeros at the end and the point moved into the power.
        let dropped = i64::try_from(significant.len() - trimmed.len()).ok()?;
        let behind_point = i64::try_from(fraction.len()).ok()?;
        let power = exponent?.checked_sub(behind_point)?.checked_add(dropped)?;
        let zeros = usize::try_from(power.checked_add(SCALE)?).ok()?;
        if trimmed.len().checked_add(zeros)? > PRECISION {
            return None;
        }
        let hundredths = format!("{trimmed}{}", "0".repeat(zeros)).parse::<i64>().ok()?;
        let signed = if negative { -hundredths } else { hundredths };
        Some(Self(Decimal::new(signed, 2).normalize()))
    }
}

impl fmt::Display for Money {
    /// The shortest exact decimal spelling, which is also valid JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Money::parse(text).map(|m| m.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn any_json_spelling_with_at_most_two_decimals_is_money() {
        check("450", Some("450"));
        check("450.00", Some("450"));
        check("450.5", Some("450.5"));
        check("1.100", Some("1.1"));
        check("1e2", Some("100"));
        check("1E+2", Some("100"));
        check("12345e-2", Some("123.45"));
        check("0.0100000000000000000000000000000000000", Some("0.01"));
        check("-0", Some("0"));
        check("0e99999", Some("0"));
        check("0e99999999999999999999999", Some("0"));
        check("-1.5", Some("-1.5"));
        check("9999999999999999.99", Some("9999999999999999.99"));
        check("-9999999999999999.99", Some("-9999999999999999.99"));
    }

    #[test]
    fn three_decimals_or_nineteen_digits_are_not_money() {
        for bad in [
            "0.001",
            "1.005",
            "1e-3",
            "10000000000000000",
            "1e16",
            "1e999999999999",
            "1e99999999999999999999999",
            "",
            "-",
            ".",
            "abc",
            "1e",
            "--1",
            "NaN",
        ] {
            check(bad, None);
        }
    }

    proptest! {
        #[test]
        fn every_amount_survives_the_way_to_text_and_back(hundredths in -999_999_999_999_999_999_i64..=999_999_999_999_999_999) {
            let money = Money(Decimal::new(hundredths, 2).normalize());
            prop_assert_eq!(Money::parse(&money.to_string()), Some(money));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = Money::parse(&text);
        }
    }

    #[test]
    fn it_is_a_json_number_with_all_its_digits() {
        let money = Money::parse("9999999999999999.99").expect("the largest amount");
        assert_eq!(serde_json::to_string(&money).expect("serializes"), "9999999999999999.99");
    }
}
