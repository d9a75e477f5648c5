//! Values between PostgreSQL and the interface: the same types, in the same texts, as Spin's.

use anyhow::{Context, Result};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use rust_decimal::Decimal;
use tokio_postgres::types::{FromSql, ToSql, Type};

use super::ranges::{self, DecimalBound, PgRange};
use super::raw::{Null, RawBytes, RawInterval};
use crate::bindings::spin::postgres::postgres::{Column, DbDataType, DbValue, ParameterValue};

/// A parameter, ready for the driver.
pub type Parameter = Box<dyn ToSql + Send + Sync>;

/// The date and time that the interface passes: year, month, day, hour, minute, second, nanosecond.
type DateTimeParts = (i32, u8, u8, u8, u8, u8, u32);

/// The columns of a row.
pub fn columns(row: &tokio_postgres::Row) -> Vec<Column> {
    let column = |column: &tokio_postgres::Column| Column {
        name: column.name().to_owned(),
        data_type: data_type(column.type_()),
    };
    row.columns().iter().map(column).collect()
}

/// The values of a row.
pub fn row(row: &tokio_postgres::Row) -> Result<Vec<DbValue>> {
    (0..row.len()).map(|index| value(row, index)).collect()
}

fn data_type(kind: &Type) -> DbDataType {
    match *kind {
        Type::BOOL => DbDataType::Boolean,
        Type::INT2 => DbDataType::Int16,
        Type::INT4 => DbDataType::Int32,
        Type::INT8 => DbDataType::Int64,
        Type::FLOAT4 => DbDataType::Floating32,
        Type::FLOAT8 => DbDataType::Floating64,
        Type::NUMERIC => DbDataType::Decimal,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => DbDataType::Str,
        Type::BYTEA => DbDataType::Binary,
        Type::JSONB => DbDataType::Jsonb,
        Type::UUID => DbDataType::Uuid,
        Type::DATE => DbDataType::Date,
        Type::TIME => DbDataType::Time,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => DbDataType::Datetime,
        Type::INTERVAL => DbDataType::Interval,
        Type::INT4_RANGE => DbDataType::RangeInt32,
        Type::INT8_RANGE => DbDataType::RangeInt64,
        Type::NUM_RANGE => DbDataType::RangeDecimal,
        Type::INT4_ARRAY => DbDataType::ArrayInt32,
        Type::INT8_ARRAY => DbDataType::ArrayInt64,
        Type::NUMERIC_ARRAY => DbDataType::ArrayDecimal,
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => DbDataType::ArrayStr,
        _ => DbDataType::Other(kind.name().to_owned()),
    }
}

fn value(row: &tokio_postgres::Row, index: usize) -> Result<DbValue> {
    /// Reads a column as `S`, or as NULL.
    fn read<'a, S: FromSql<'a>>(
        row: &'a tokio_postgres::Row,
        index: usize,
        convert: impl FnOnce(S) -> Result<DbValue>,
    ) -> Result<DbValue> {
        row.try_get::<_, Option<S>>(index)?.map_or(Ok(DbValue::DbNull), convert)
    }
    match *row.columns()[index].type_() {
        Type::BOOL => read(row, index, |v| Ok(DbValue::Boolean(v))),
        Type::INT2 => read(row, index, |v| Ok(DbValue::Int16(v))),
        Type::INT4 => read(row, index, |v| Ok(DbValue::Int32(v))),
        Type::INT8 => read(row, index, |v| Ok(DbValue::Int64(v))),
        Type::FLOAT4 => read(row, index, |v| Ok(DbValue::Floating32(v))),
        Type::FLOAT8 => read(row, index, |v| Ok(DbValue::Floating64(v))),
        Type::NUMERIC => read(row, index, |v: Decimal| Ok(DbValue::Decimal(v.to_string()))),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => read(row, index, |v| Ok(DbValue::Str(v))),
        Type::BYTEA => read(row, index, |v| Ok(DbValue::Binary(v))),
        Type::JSONB => read(row, index, |v: serde_json::Value| Ok(DbValue::Jsonb(serde_json::to_vec(&v)?))),
        Type::UUID => read(row, index, |v: uuid::Uuid| Ok(DbValue::Uuid(v.to_string()))),
        Type::DATE => read(row, index, |v| Ok(DbValue::Date(date_parts(v)?))),
        Type::TIME => read(row, index, |v| Ok(DbValue::Time(time_parts(v)?))),
        // The driver does not read a TIMESTAMPTZ as this type, so such a column **fails**, on Spin 4.1 as here: a statement
        // must cast it (`at time zone 'utc'`). The column is still announced as a datetime.
        Type::TIMESTAMP | Type::TIMESTAMPTZ => read(row, index, |v| Ok(DbValue::Datetime(datetime_parts(v)?))),
        Type::INTERVAL => read(row, index, |v: RawInterval| Ok(DbValue::Interval(v.0))),
        Type::INT4_RANGE => read(row, index, |v: PgRange<i32>| Ok(DbValue::RangeInt32(ranges::from_pg(&v, |n| *n)))),
        Type::INT8_RANGE => read(row, index, |v: PgRange<i64>| Ok(DbValue::RangeInt64(ranges::from_pg(&v, |n| *n)))),
        Type::NUM_RANGE => read(row, index, |v: PgRange<DecimalBound>| {
            Ok(DbValue::RangeDecimal(ranges::from_pg(&v, |n| n.0.to_string())))
        }),
        Type::INT4_ARRAY => read(row, index, |v| Ok(DbValue::ArrayInt32(v))),
        Type::INT8_ARRAY => read(row, index, |v| Ok(DbValue::ArrayInt64(v))),
        Type::NUMERIC_ARRAY => read(row, index, |v: Vec<Option<Decimal>>| {
            Ok(DbValue::ArrayDecimal(v.into_iter().map(|n| n.map(|n| n.to_string())).collect()))
        }),
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => read(row, index, |v| Ok(DbValue::ArrayStr(v))),
        _ => read(row, index, |v: RawBytes| Ok(DbValue::Unsupported(v.0))),
    }
}

/// Converts a parameter to what the driver sends.
pub fn parameter(value: &ParameterValue) -> Result<Parameter> {
    Ok(match value {
        ParameterValue::Boolean(v) => Box::new(*v),
        ParameterValue::Int8(v) => Box::new(*v),
        ParameterValue::Int16(v) => Box::new(*v),
        ParameterValue::Int32(v) => Box::new(*v),
        ParameterValue::Int64(v) => Box::new(*v),
        ParameterValue::Floating32(v) => Box::new(*v),
        ParameterValue::Floating64(v) => Box::new(*v),
        ParameterValue::Decimal(v) => Box::new(ranges::decimal(v)?),
        ParameterValue::Str(v) => Box::new(v.clone()),
        ParameterValue::Binary(v) => Box::new(v.clone()),
        ParameterValue::Jsonb(v) => Box::new(json(v)?),
        ParameterValue::Uuid(v) => Box::new(uuid::Uuid::parse_str(v).with_context(|| format!("invalid UUID {v}"))?),
        ParameterValue::Date(v) => Box::new(date(*v)?),
        ParameterValue::Time(v) => Box::new(time(*v)?),
        ParameterValue::Datetime((y, mon, d, h, min, s, ns)) => {
            Box::new(NaiveDateTime::new(date((*y, *mon, *d))?, time((*h, *min, *s, *ns))?))
        }
        ParameterValue::Timestamp(v) => {
            Box::new(DateTime::<Utc>::from_timestamp(*v, 0).with_context(|| format!("invalid epoch timestamp {v}"))?)
        }
        ParameterValue::Interval(v) => Box::new(RawInterval(*v)),
        ParameterValue::RangeInt32(v) => Box::new(ranges::to_pg(v, |n| Ok(*n))?),
        ParameterValue::RangeInt64(v) => Box::new(ranges::to_pg(v, |n| Ok(*n))?),
        ParameterValue::RangeDecimal(v) => Box::new(ranges::to_pg(v, |n| ranges::decimal(n).map(DecimalBound))?),
        ParameterValue::ArrayInt32(v) => Box::new(v.clone()),
        ParameterValue::ArrayInt64(v) => Box::new(v.clone()),
        ParameterValue::ArrayDecimal(v) => {
            Box::new(v.iter().map(|n| n.as_deref().map(ranges::decimal).transpose()).collect::<Result<Vec<_>>>()?)
        }
        ParameterValue::ArrayStr(v) => Box::new(v.clone()),
        ParameterValue::DbNull => Box::new(Null),
    })
}

fn json(bytes: &[u8]) -> Result<serde_json::Value> {
    serde_json::from_slice(bytes).with_context(|| format!("invalid JSON {}", String::from_utf8_lossy(bytes)))
}

fn date((y, m, d): (i32, u8, u8)) -> Result<NaiveDate> {
    NaiveDate::from_ymd_opt(y, m.into(), d.into()).with_context(|| format!("invalid date y={y}, m={m}, d={d}"))
}

fn time((h, m, s, ns): (u8, u8, u8, u32)) -> Result<NaiveTime> {
    NaiveTime::from_hms_nano_opt(h.into(), m.into(), s.into(), ns)
        .with_context(|| format!("invalid time {h}:{m}:{s}:{ns}"))
}

fn date_parts(date: NaiveDate) -> Result<(i32, u8, u8)> {
    Ok((date.year(), date.month().try_into()?, date.day().try_into()?))
}

fn time_parts(time: NaiveTime) -> Result<(u8, u8, u8, u32)> {
    Ok((time.hour().try_into()?, time.minute().try_into()?, time.second().try_into()?, time.nanosecond()))
}

fn datetime_parts(at: NaiveDateTime) -> Result<DateTimeParts> {
    let ((y, mon, d), (h, min, s, ns)) = (date_parts(at.date())?, time_parts(at.time())?);
    Ok((y, mon, d, h, min, s, ns))
}

/// How much memory a row takes, to hold a result against its limit.
pub fn size(row: &[DbValue]) -> usize {
    fn texts(values: &[Option<String>]) -> usize {
        values.iter().map(|value| size_of::<Option<String>>() + value.as_ref().map_or(0, String::len)).sum()
    }
    let heap = |value: &DbValue| match value {
        DbValue::Str(v) | DbValue::Uuid(v) | DbValue::Decimal(v) => v.len(),
        DbValue::Binary(v) | DbValue::Jsonb(v) | DbValue::Unsupported(v) => v.len(),
        DbValue::ArrayInt32(v) => size_of_val(v.as_slice()),
        DbValue::ArrayInt64(v) => size_of_val(v.as_slice()),
        DbValue::ArrayDecimal(v) | DbValue::ArrayStr(v) => texts(v),
        _ => 0,
    };
    row.iter().map(|value| size_of::<DbValue>() + heap(value)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(value: ParameterValue) -> String {
        format!("{:#}", parameter(&value).map(drop).expect_err("this parameter should be refused"))
    }

    #[test]
    fn a_date_and_a_time_survive_both_ways() {
        let parts = (2024, 2, 29);
        assert_eq!(date_parts(date(parts).unwrap()).unwrap(), parts);
        let parts = (23, 59, 59, 123_456_000);
        assert_eq!(time_parts(time(parts).unwrap()).unwrap(), parts);
        let at = NaiveDateTime::new(date((-1, 12, 31)).unwrap(), time((0, 0, 1, 0)).unwrap());
        assert_eq!(datetime_parts(at).unwrap(), (-1, 12, 31, 0, 0, 1, 0));
    }

    #[test]
    fn what_is_no_value_of_its_type_is_refused_with_the_value_named() {
        assert_eq!(refused(ParameterValue::Date((2023, 2, 29))), "invalid date y=2023, m=2, d=29");
        assert_eq!(refused(ParameterValue::Time((24, 0, 0, 0))), "invalid time 24:0:0:0");
        assert!(refused(ParameterValue::Datetime((2023, 13, 1, 0, 0, 0, 0))).contains("m=13"));
        assert!(refused(ParameterValue::Uuid("x".into())).starts_with("invalid UUID x"));
        assert!(refused(ParameterValue::Jsonb(b"{".to_vec())).starts_with("invalid JSON {"));
        assert!(refused(ParameterValue::Decimal("1,5".into())).starts_with("invalid decimal 1,5"));
        assert!(
            refused(ParameterValue::ArrayDecimal(vec![Some("1".into()), Some("y".into())]))
                .contains("invalid decimal y")
        );
        assert!(refused(ParameterValue::Timestamp(i64::MAX)).contains("invalid epoch timestamp"));
    }

    #[test]
    fn a_column_of_an_unknown_type_keeps_its_name() {
        assert!(matches!(data_type(&Type::VARCHAR), DbDataType::Str));
        assert!(matches!(data_type(&Type::TIMESTAMPTZ), DbDataType::Datetime));
        assert!(matches!(data_type(&Type::JSON), DbDataType::Other(name) if name == "json"));
    }

    #[test]
    fn a_rows_size_counts_what_lies_on_the_heap() {
        let base = size_of::<DbValue>();
        assert_eq!(size(&[DbValue::DbNull, DbValue::Int64(1)]), 2 * base);
        assert_eq!(size(&[DbValue::Str("abc".into()), DbValue::Binary(vec![0; 5])]), 2 * base + 8);
        assert_eq!(
            size(&[DbValue::ArrayStr(vec![Some("ab".into()), None])]),
            base + 2 * size_of::<Option<String>>() + 2
        );
    }
}
