//! Ranges and the decimals in them.

use anyhow::{Context, Result};
use postgres_range::{BoundSided, BoundType, Normalizable, RangeBound};
use rust_decimal::Decimal;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::bindings::spin::postgres::postgres::RangeBoundKind;

/// A range as the driver has it.
pub type PgRange<N> = postgres_range::Range<N>;

/// A range as the interface has it: the lower and the upper bound, each left out when there is none.
pub type Range<N> = (Option<(N, RangeBoundKind)>, Option<(N, RangeBoundKind)>);

/// Reads a decimal that fits without rounding.
pub fn decimal(text: &str) -> Result<Decimal> {
    Decimal::from_str_exact(text).with_context(|| format!("invalid decimal {text}"))
}

/// A range out of the database.
pub fn from_pg<N: PartialOrd + Normalizable, W>(range: &PgRange<N>, convert: impl Fn(&N) -> W) -> Range<W> {
    let kind = |kind: BoundType| match kind {
        BoundType::Inclusive => RangeBoundKind::Inclusive,
        BoundType::Exclusive => RangeBoundKind::Exclusive,
    };
    (
        range.lower().map(|bound| (convert(&bound.value), kind(bound.type_))),
        range.upper().map(|bound| (convert(&bound.value), kind(bound.type_))),
    )
}

/// A range for the database.
pub fn to_pg<W, N: PartialOrd + Normalizable>(
    range: &Range<W>,
    convert: impl Fn(&W) -> Result<N>,
) -> Result<PgRange<N>> {
    fn bound<S: BoundSided, W, N: PartialOrd + Normalizable>(
        bound: &Option<(W, RangeBoundKind)>,
        convert: impl Fn(&W) -> Result<N>,
    ) -> Result<Option<RangeBound<S, N>>> {
        let Some((value, kind)) = bound else { return Ok(None) };
        let kind = match kind {
            RangeBoundKind::Inclusive => BoundType::Inclusive,
            RangeBoundKind::Exclusive => BoundType::Exclusive,
        };
        Ok(Some(RangeBound::new(convert(value)?, kind)))
    }
    Ok(PgRange::new(bound(&range.0, &convert)?, bound(&range.1, &convert)?))
}

/// A decimal as a range's bound: `postgres_range` asks for a trait that `Decimal` cannot have.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct DecimalBound(pub Decimal);

impl Normalizable for DecimalBound {
    // Only discrete types have a normal form.
    fn normalize<S: BoundSided>(bound: RangeBound<S, Self>) -> RangeBound<S, Self> {
        bound
    }
}

impl ToSql for DecimalBound {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.to_sql(kind, out)
    }

    fn accepts(kind: &Type) -> bool {
        <Decimal as ToSql>::accepts(kind)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for DecimalBound {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Decimal::from_sql(kind, raw).map(Self)
    }

    fn accepts(kind: &Type) -> bool {
        <Decimal as FromSql>::accepts(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_range_survives_both_ways() {
        let range: Range<String> =
            (Some(("12.50".into(), RangeBoundKind::Inclusive)), Some(("99.9".into(), RangeBoundKind::Exclusive)));
        let pg = to_pg(&range, |text| decimal(text).map(DecimalBound)).unwrap();
        let (lower, upper) = from_pg(&pg, |bound| bound.0.to_string());
        assert!(matches!(lower, Some((text, RangeBoundKind::Inclusive)) if text == "12.50"), "the scale is kept");
        assert!(matches!(upper, Some((text, RangeBoundKind::Exclusive)) if text == "99.9"));
    }

    #[test]
    fn an_open_range_stays_open() {
        let pg: PgRange<i32> = to_pg(&(None, Some((3, RangeBoundKind::Exclusive))), |number| Ok(*number)).unwrap();
        assert!(matches!(from_pg(&pg, |number| *number), (None, Some((3, RangeBoundKind::Exclusive)))));
    }

    #[test]
    fn a_decimal_that_would_be_rounded_is_refused() {
        assert_eq!(decimal("1.10").unwrap().to_string(), "1.10");
        assert!(decimal("0.12345678901234567890123456789012345").is_err());
        assert!(decimal("").is_err());
    }
}
