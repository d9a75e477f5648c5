//! Rental properties.

use super::{Members, Money, PropertyId, RowVersion, Timestamp, Violations};
use crate::sql::{RowError, RowReader};
use serde::Serialize;

/// A rental property, as the contract answers it: nulls are left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Property {
    id: PropertyId,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    suburb: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weekly_rent_amount: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_start_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_end_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    property_manager: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    property_manager_contact: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    row_version: RowVersion,
}

impl Property {
    /// The columns that [`Property::from_row`] reads, of a row called `p`. The function `read_property` answers the same in this order.
    pub const COLUMNS: &str = "p.id, p.address, p.suburb, p.state, p.post_code, p.description, p.weekly_rent_amount, \
        unix_micros(p.lease_start_date), unix_micros(p.lease_end_date), p.property_manager, p.property_manager_contact, \
        unix_micros(p.created_at), unix_micros(p.updated_at), p.row_version";

    /// Reads the columns of [`Property::COLUMNS`].
    pub fn from_row(row: &mut RowReader<'_>) -> Result<Self, RowError> {
        Ok(Self {
            id: row.parsed(PropertyId::parse)?,
            address: row.text()?.to_owned(),
            suburb: row.optional_text()?.map(str::to_owned),
            state: row.optional_text()?.map(str::to_owned),
            post_code: row.optional_text()?.map(str::to_owned),
            description: row.optional_text()?.map(str::to_owned),
            weekly_rent_amount: row.optional(Money::parse)?,
            lease_start_date: row.optional_from_integer(Timestamp::from_unix_micros)?,
            lease_end_date: row.optional_from_integer(Timestamp::from_unix_micros)?,
            property_manager: row.optional_text()?.map(str::to_owned),
            property_manager_contact: row.optional_text()?.map(str::to_owned),
            created_at: row.from_integer(Timestamp::from_unix_micros)?,
            updated_at: row.from_integer(Timestamp::from_unix_micros)?,
            row_version: row.from_integer(RowVersion::new)?,
        })
    }

    /// Which property it is.
    pub fn id(&self) -> PropertyId {
        self.id
    }

    /// The version of the row, and so of the answer.
    pub fn row_version(&self) -> RowVersion {
        self.row_version
    }

    /// What a list sorted by this field, one of the contract's, puts it by. An unknown field is the address.
    pub fn sort_value(&self, field: &str) -> Option<String> {
        match field {
            "suburb" => self.suburb.clone(),
            "state" => self.state.clone(),
            "weeklyRentAmount" => self.weekly_rent_amount.map(|amount| amount.to_string()),
            "leaseStartDate" => self.lease_start_date.map(|time| time.to_string()),
            "leaseEndDate" => self.lease_end_date.map(|time| time.to_string()),
            _ => Some(self.address.clone()),
        }
    }
}

/// The writable members of a property, valid.
#[derive(Debug, PartialEq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(rename_all = "camelCase"))]
pub struct PropertyDraft {
    /// Where it is; never blank.
    #[cfg_attr(feature = "openapi", schema(max_length = 200, pattern = r"\S"))]
    pub address: String,
    /// Its suburb.
    #[cfg_attr(feature = "openapi", schema(max_length = 100))]
    pub suburb: Option<String>,
    /// Its state.
    #[cfg_attr(feature = "openapi", schema(max_length = 50))]
    pub state: Option<String>,
    /// Its postal code.
    #[cfg_attr(feature = "openapi", schema(max_length = 10))]
    pub post_code: Option<String>,
    /// Free text.
    #[cfg_attr(feature = "openapi", schema(max_length = 500))]
    pub description: Option<String>,
    /// The rent for a week.
    pub weekly_rent_amount: Option<Money>,
    /// When the lease starts.
    pub lease_start_date: Option<Timestamp>,
    /// When the lease ends.
    pub lease_end_date: Option<Timestamp>,
    /// Who manages it.
    #[cfg_attr(feature = "openapi", schema(max_length = 100))]
    pub property_manager: Option<String>,
    /// How to reach the manager.
    #[cfg_attr(feature = "openapi", schema(max_length = 100))]
    pub property_manager_contact: Option<String>,
    /// The version that the client last saw, where it says so.
    pub row_version: Option<RowVersion>,
}

impl PropertyDraft {
    /// Reads a request body. Lengths are the contract's, in characters.
    pub fn parse(body: &[u8]) -> Result<Self, Violations> {
        let mut members = Members::parse(body)?;
        let address = members.required_text("address", 200);
        let draft = Self {
            address: address.unwrap_or_default(),
            suburb: members.optional_text("suburb", 100),
            state: members.optional_text("state", 50),
            post_code: members.optional_text("postCode", 10),
            description: members.optional_text("description", 500),
            weekly_rent_amount: members.optional_money("weeklyRentAmount"),
            lease_start_date: members.optional_time("leaseStartDate"),
            lease_end_date: members.optional_time("leaseEndDate"),
            property_manager: members.optional_text("propertyManager", 100),
            property_manager_contact: members.optional_text("propertyManagerContact", 100),
            row_version: members.optional_version("rowVersion"),
        };
        members.finish().map(|()| draft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Column;

    #[test]
    fn the_client_s_whole_view_model_is_read_and_the_rest_ignored() {
        let body =
            br#"{"Id": "00000000-0000-0000-0000-000000000000", "Address": "1 High St", "WeeklyRentAmount": 450.50,
            "LeaseStartDate": "2026-01-01T00:00:00", "RentalPayments": [], "Attachments": [], "RowVersion": 3}"#;
        let draft = PropertyDraft::parse(body).expect("a valid property");
        assert_eq!(draft.address, "1 High St");
        assert_eq!(draft.weekly_rent_amount, Money::parse("450.5"));
        assert_eq!(draft.lease_start_date, Timestamp::parse("2026-01-01"));
        assert_eq!(draft.row_version, RowVersion::new(3));
        assert_eq!(draft.suburb, None);
    }

    #[test]
    fn a_property_without_an_address_is_refused() {
        for body in [r#"{}"#, r#"{"address": ""}"#, r#"{"address": "  \t"}"#, r#"{"address": null}"#] {
            let violations = PropertyDraft::parse(body.as_bytes()).expect_err(body);
            assert!(violations.by_member().contains_key("address"), "{body}");
        }
    }

    #[test]
    fn nulls_are_left_out_of_the_answer_and_names_are_camel_case() {
        let mut columns = vec![Column::Null; 14];
        columns[0] = Column::Text("0192f0c1-2345-7abc-8def-0123456789ab".into());
        columns[1] = Column::Text("1 High St".into());
        columns[6] = Column::Text("450.00".into());
        columns[11] = Column::Integer(0);
        columns[12] = Column::Integer(1_000_000);
        columns[13] = Column::Integer(1);
        let property = Property::from_row(&mut RowReader::new(&columns)).expect("a whole row");
        assert_eq!(
            serde_json::to_string(&property).expect("serializes"),
            r#"{"id":"0192f0c1-2345-7abc-8def-0123456789ab","address":"1 High St","weeklyRentAmount":450,"createdAt":"1970-01-01T00:00:00Z","updatedAt":"1970-01-01T00:00:01Z","rowVersion":1}"#
        );
    }
}
