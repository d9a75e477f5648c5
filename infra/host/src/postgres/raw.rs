//! Values that the driver has no type for, in PostgreSQL's binary form.

use bytes::{Buf, BufMut};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::bindings::spin::postgres::postgres::Interval;

type BoxError = Box<dyn std::error::Error + Sync + Send>;

/// An interval: microseconds, days and months, in this order.
#[derive(Debug)]
pub struct RawInterval(pub Interval);

impl ToSql for RawInterval {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        out.put_i64(self.0.micros);
        out.put_i32(self.0.days);
        out.put_i32(self.0.months);
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::INTERVAL
    }

    to_sql_checked!();
}

impl FromSql<'_> for RawInterval {
    fn from_sql(_: &Type, mut raw: &[u8]) -> Result<Self, BoxError> {
        if raw.len() != 16 {
            return Err("unexpected binary format for Postgres INTERVAL".into());
        }
        Ok(Self(Interval { micros: raw.get_i64(), days: raw.get_i32(), months: raw.get_i32() }))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::INTERVAL
    }
}

/// A NULL of any type: what type the statement expects is not known here.
#[derive(Debug)]
pub struct Null;

impl ToSql for Null {
    fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, BoxError> {
        Ok(IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value of a type that the interface does not have, as it came.
pub struct RawBytes(pub Vec<u8>);

impl FromSql<'_> for RawBytes {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, BoxError> {
        Ok(Self(raw.to_owned()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_survives_both_ways() {
        let mut out = BytesMut::new();
        RawInterval(Interval { micros: -5, days: 40, months: 13 }).to_sql(&Type::INTERVAL, &mut out).unwrap();
        let interval = RawInterval::from_sql(&Type::INTERVAL, &out).unwrap().0;
        assert_eq!((interval.micros, interval.days, interval.months), (-5, 40, 13));
        assert!(RawInterval::from_sql(&Type::INTERVAL, &out[..15]).is_err());
    }

    #[test]
    fn null_goes_where_any_type_goes() {
        for kind in [Type::INT4, Type::TEXT, Type::UUID] {
            assert!(Null::accepts(&kind));
        }
        assert!(matches!(Null.to_sql(&Type::INT4, &mut BytesMut::new()).unwrap(), IsNull::Yes));
    }
}
