//! Rent payments and the ways of paying.

use super::{Members, Money, PaymentId, PaymentMethodId, PropertyId, RowVersion, Timestamp, Violations};
use crate::sql::{RowError, RowReader};
use serde::Serialize;

/// The longest name of a payment method that an older client may send, in characters.
const METHOD_NAME_MAX: usize = 100;

/// A way of paying: the system's own or one that a tenant added.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaymentMethod {
    id: PaymentMethodId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    is_system_default: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl PaymentMethod {
    /// The columns that [`PaymentMethod::from_row`] reads, of a row called `m`.
    pub const COLUMNS: &str =
        "m.id, m.name, m.description, m.is_system_default, unix_micros(m.created_at), unix_micros(m.updated_at)";

    /// Reads the columns of [`PaymentMethod::COLUMNS`].
    pub fn from_row(row: &mut RowReader<'_>) -> Result<Self, RowError> {
        Ok(Self {
            id: row.parsed(PaymentMethodId::parse)?,
            name: row.text()?.to_owned(),
            description: row.optional_text()?.map(str::to_owned),
            is_system_default: row.boolean()?,
            created_at: row.from_integer(Timestamp::from_unix_micros)?,
            updated_at: row.from_integer(Timestamp::from_unix_micros)?,
        })
    }
}

/// A rent payment, as the contract answers it: nulls are left out, its method is embedded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Payment {
    id: PaymentId,
    rental_property_id: PropertyId,
    amount: Money,
    payment_date: Timestamp,
    payment_method_id: PaymentMethodId,
    payment_method: PaymentMethod,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    row_version: RowVersion,
}

impl Payment {
    /// The columns that [`Payment::from_row`] reads of a payment row called `y`; those of its method row `m`
    /// ([`PaymentMethod::COLUMNS`]) come after them. The function `read_payment` answers the same in this order.
    pub const COLUMNS: &str = "y.id, y.property_id, y.amount, unix_micros(y.payment_date), y.payment_reference, y.notes, \
        unix_micros(y.created_at), unix_micros(y.updated_at), y.row_version";

    /// Reads the columns of [`Payment::COLUMNS`] and then those of [`PaymentMethod::COLUMNS`].
    pub fn from_row(row: &mut RowReader<'_>) -> Result<Self, RowError> {
        let id = row.parsed(PaymentId::parse)?;
        let rental_property_id = row.parsed(PropertyId::parse)?;
        let amount = row.parsed(Money::parse)?;
        let payment_date = row.from_integer(Timestamp::from_unix_micros)?;
        let payment_reference = row.optional_text()?.map(str::to_owned);
        let notes = row.optional_text()?.map(str::to_owned);
        let created_at = row.from_integer(Timestamp::from_unix_micros)?;
        let updated_at = row.from_integer(Timestamp::from_unix_micros)?;
        let row_version = row.from_integer(RowVersion::new)?;
        let payment_method = PaymentMethod::from_row(row)?;
        Ok(Self {
            id,
            rental_property_id,
            amount,
            payment_date,
            payment_method_id: payment_method.id,
            payment_method,
            payment_reference,
            notes,
            created_at,
            updated_at,
            row_version,
        })
    }

    /// Which payment it is.
    pub fn id(&self) -> PaymentId {
        self.id
    }

    /// The version of the row, and so of the answer.
    pub fn row_version(&self) -> RowVersion {
        self.row_version
    }

    /// What a list sorted by this field, one of the contract's but `notes`, puts it by. An unknown field is the date.
    pub fn sort_value(&self, field: &str) -> Option<String> {
        match field {
            "amount" => Some(self.amount.to_string()),
            "paymentMethod" => Some(self.payment_method.name.clone()),
            "paymentReference" => self.payment_reference.clone(),
            _ => Some(self.payment_date.to_string()),
        }
    }

    /// The property that it was paid for.
    pub fn property_id(&self) -> PropertyId {
        self.rental_property_id
    }
}

/// How a client names the payment's method.
#[derive(Debug, PartialEq)]
pub enum MethodChoice {
    /// By its id.
    Id(PaymentMethodId),
    /// By its name, as older clients do.
    Name(String),
}

impl MethodChoice {
    /// The member of the body that made the choice, for a complaint about it.
    pub fn member(&self) -> &'static str {
        match self {
            Self::Id(_) => "paymentMethodId",
            Self::Name(_) => "paymentMethod",
        }
    }
}

/// The writable members of a payment, valid but for whether its method exists.
#[derive(Debug, PartialEq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(rename_all = "camelCase"))]
pub struct PaymentDraft {
    /// How much was paid.
    pub amount: Money,
    /// When it was paid.
    pub payment_date: Timestamp,
    /// How it was paid.
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub method: MethodChoice,
    /// The payer's reference.
    #[cfg_attr(feature = "openapi", schema(max_length = 100))]
    pub payment_reference: Option<String>,
    /// Free text.
    #[cfg_attr(feature = "openapi", schema(max_length = 500))]
    pub notes: Option<String>,
    /// The version that the client last saw, where it says so.
    pub row_version: Option<RowVersion>,
}

impl PaymentDraft {
    /// Reads a request body. Lengths are the contract's, in characters.
    pub fn parse(body: &[u8]) -> Result<Self, Violations> {
        let mut members = Members::parse(body)?;
        let amount = members.required_money("amount");
        let payment_date = members.required_time("paymentDate");
        let method = Self::method(&mut members);
        let payment_reference = members.optional_text("paymentReference", 100);
        let notes = members.optional_text("notes", 500);
        let row_version = members.optional_version("rowVersion");
        members.finish()?;
        // Each of the three that is missing was noted above, so `finish` has refused the body by now.
        let (Some(amount), Some(payment_date), Some(method)) = (amount, payment_date, method) else {
            return Err(Violations::one("body", "lacks a required member"));
        };
        Ok(Self { amount, payment_date, method, payment_reference, notes, row_version })
    }

    /// The id wins: on editing, the client sends the old method as an object beside the new one's id.
    fn method(members: &mut Members) -> Option<MethodChoice> {
        if members.has("paymentMethodId") {
            return members.optional_id("paymentMethodId", PaymentMethodId::parse).map(MethodChoice::Id);
        }
        if members.has("paymentMethod") && !members.is_object("paymentMethod") {
            return members.required_text("paymentMethod", METHOD_NAME_MAX).map(MethodChoice::Name);
        }
        members.refuse("paymentMethodId", "is required");
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

    fn parse(method: &str) -> Result<MethodChoice, Vec<String>> {
        let body = format!(r#"{{"amount": 450, "paymentDate": "2026-01-01"{method}}}"#);
        PaymentDraft::parse(body.as_bytes())
            .map(|draft| draft.method)
            .map_err(|violations| violations.by_member().keys().cloned().collect())
    }

    #[test]
    fn the_id_of_a_method_wins_over_its_object_and_its_name() {
        let by_id = Ok(MethodChoice::Id(PaymentMethodId::parse(METHOD).expect("an id")));
        assert_eq!(parse(&format!(r#", "paymentMethodId": "{METHOD}""#)), by_id);
        assert_eq!(parse(&format!(r#", "paymentMethod": {{"name": "Cash"}}, "PaymentMethodId": "{METHOD}""#)), by_id);
        assert_eq!(parse(&format!(r#", "paymentMethod": "Cash", "paymentMethodId": "{METHOD}""#)), by_id);
    }

    #[test]
    fn an_older_client_names_its_method() {
        assert_eq!(parse(r#", "paymentMethod": "Cash""#), Ok(MethodChoice::Name("Cash".into())));
        assert_eq!(
            parse(r#", "paymentMethod": "Cash", "paymentMethodId": null"#),
            Ok(MethodChoice::Name("Cash".into()))
        );
    }

    #[test]
    fn a_payment_without_a_method_is_refused() {
        let by_id = || Err(vec!["paymentMethodId".to_owned()]);
        assert_eq!(parse(""), by_id());
        assert_eq!(parse(r#", "paymentMethod": {"name": "Cash"}"#), by_id());
        assert_eq!(parse(r#", "paymentMethodId": "cash""#), by_id());
        assert_eq!(parse(r#", "paymentMethod": 7"#), Err(vec!["paymentMethod".to_owned()]));
        assert_eq!(parse(r#", "paymentMethod": " ""#), Err(vec!["paymentMethod".to_owned()]));
    }
}
