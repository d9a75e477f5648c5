//! Parameters and columns as the platform has them.

use super::failure::Failure;
use crate::sdk::pg::{DbValue, ParameterValue};
use rental::sql::{Column, Parameter, sqlstate};

pub fn parameter(parameter: Parameter) -> ParameterValue {
    match parameter {
        Parameter::Null => ParameterValue::DbNull,
        Parameter::Text(text) => ParameterValue::Str(text),
        Parameter::Uuid(text) => ParameterValue::Uuid(text),
        Parameter::Integer(number) => ParameterValue::Int64(number),
        Parameter::Decimal(text) => ParameterValue::Decimal(text),
        Parameter::Integers(numbers) => ParameterValue::ArrayInt64(numbers.into_iter().map(Some).collect()),
        Parameter::Texts(texts) => ParameterValue::ArrayStr(texts.into_iter().map(Some).collect()),
    }
}

pub fn column(value: DbValue) -> Result<Column, Failure> {
    Ok(match value {
        DbValue::DbNull => Column::Null,
        DbValue::Boolean(value) => Column::Boolean(value),
        DbValue::Int64(number) => Column::Integer(number),
        DbValue::Int32(number) => Column::Integer(number.into()),
        DbValue::Str(text) | DbValue::Uuid(text) | DbValue::Decimal(text) => Column::Text(text),
        DbValue::ArrayStr(texts) => Column::Texts(texts.into_iter().flatten().collect()),
        other => {
            let text = format!("a query answers a type that is not read: {other:?}");
            return Err(Failure::new(sqlstate::UNREADABLE, text));
        }
    })
}
