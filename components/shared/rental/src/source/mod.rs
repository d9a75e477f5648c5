//! Where an entry of the cache comes from: the statement that is read for it, what is made of the rows, and the name that it
//! has in the cache. Readers, warming and verification all go by it, so that none of them reads anything else.

mod payment;
mod payments;
mod payments_keyset;
mod properties;
mod properties_keyset;
mod property;

pub use payment::is_for as payment_is_for;

use crate::domain::{PaymentId, PropertyId, TenantId, Violations};
use crate::error::Error;
use crate::http::{AfterCursor, ListQuery, split_cache_field};
use crate::resource::Resource;
use crate::sql::Column;
use crate::sql::Statement;
use cache::Entry;

/// What is read from PostgreSQL for one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One property.
    Property(PropertyId),
    /// A page of the properties, by its number.
    Properties(ListQuery),
    /// A page of the properties, by keyset.
    PropertiesKeyset(ListQuery, AfterCursor<PropertyId>),
    /// One payment.
    Payment(PaymentId),
    /// A page of the payments for a property.
    Payments(PropertyId, ListQuery),
    /// A page of them by keyset.
    PaymentsKeyset(PropertyId, ListQuery, AfterCursor<PaymentId>),
}

impl Source {
    /// The page of the properties that a query string asks for, by its number or, with `after`, by keyset.
    ///
    /// # Errors
    /// Names the members that are wrong.
    pub fn properties(query: Option<&str>) -> Result<Self, Violations> {
        let asked = ListQuery::parse(query, &properties::SORT_FIELDS)?;
        Ok(match AfterCursor::parse(query, &asked, properties_keyset::kind(asked.sort_field))? {
            Some(after) => Self::PropertiesKeyset(asked, after),
            None => Self::Properties(asked),
        })
    }

    /// The page of the payments for a property that a query string asks for, by its number or, with `after`, by keyset.
    ///
    /// # Errors
    /// Names the members that are wrong.
    pub fn payments(property: PropertyId, query: Option<&str>) -> Result<Self, Violations> {
        let asked = ListQuery::parse(query, &payments::SORT_FIELDS)?;
        Ok(match AfterCursor::parse(query, &asked, payments_keyset::kind(asked.sort_field))? {
            Some(_) if asked.sort_field == payments_keyset::WITHOUT => {
                return Err(Violations::one("after", "cannot be combined with this sortField"));
            }
            Some(after) => Self::PaymentsKeyset(property, asked, after),
            None => Self::Payments(property, asked),
        })
    }

    /// What an entry of the cache was read from, by its key and, for a list, its field. `None` for a field that no page has.
    pub fn of(resource: Resource, field: &str) -> Option<Self> {
        let page = |fields| ListQuery::from_cache_field(field, fields);
        let source = match resource {
            Resource::Property(id) => Self::Property(id),
            Resource::Payment(id) => Self::Payment(id),
            Resource::PaymentList(property) => match split_cache_field(field) {
                None => Self::Payments(property, page(&payments::SORT_FIELDS)?),
                Some((page, cursor)) => {
                    let asked = ListQuery::from_cache_field(page, &payments::SORT_FIELDS)?;
                    let after = AfterCursor::from_text(cursor, &asked, payments_keyset::kind(asked.sort_field))?;
                    Self::PaymentsKeyset(property, asked, after)
                }
            },
            Resource::PropertyList => match split_cache_field(field) {
                None => Self::Properties(page(&properties::SORT_FIELDS)?),
                Some((page, cursor)) => {
                    let asked = ListQuery::from_cache_field(page, &properties::SORT_FIELDS)?;
                    let after = AfterCursor::from_text(cursor, &asked, properties_keyset::kind(asked.sort_field))?;
                    Self::PropertiesKeyset(asked, after)
                }
            },
        };
        // Another spelling of the page would be another field.
        let is_its_name = source.field().is_ok_and(|own| own.as_deref() == Some(field));
        is_its_name.then_some(source)
    }

    /// The key of the cache that it belongs to.
    pub fn resource(&self) -> Resource {
        match self {
            Self::Property(id) => Resource::Property(*id),
            Self::Properties(_) | Self::PropertiesKeyset(..) => Resource::PropertyList,
            Self::Payment(id) => Resource::Payment(*id),
            Self::Payments(property, _) | Self::PaymentsKeyset(property, ..) => Resource::PaymentList(*property),
        }
    }

    /// The field of that key: which page of a list, and empty for a single resource. `None` for what is not cached.
    ///
    /// # Errors
    /// As [`AfterCursor::cache_field`].
    pub fn field(&self) -> Result<Option<String>, Error> {
        Ok(match self {
            Self::Property(_) | Self::Payment(_) => Some(String::new()),
            Self::Properties(asked) | Self::Payments(_, asked) => asked.cache_field(),
            Self::PropertiesKeyset(asked, after) => after.cache_field(asked)?,
            Self::PaymentsKeyset(_, asked, after) => after.cache_field(asked)?,
        })
    }

    /// The statement.
    pub fn statement(&self, tenant: &TenantId) -> Statement {
        match self {
            Self::Property(id) => property::statement(tenant, *id),
            Self::Properties(asked) => properties::statement(tenant, asked),
            Self::PropertiesKeyset(asked, after) => properties_keyset::statement(tenant, asked, after),
            Self::Payment(id) => payment::statement(tenant, *id),
            Self::Payments(property, asked) => payments::statement(tenant, *property, asked),
            Self::PaymentsKeyset(property, asked, after) => payments_keyset::statement(tenant, *property, asked, after),
        }
    }

    /// What the rows of the statement make.
    ///
    /// # Errors
    /// When they are no such rows.
    pub fn entry(&self, rows: &[Vec<Column>]) -> Result<Entry, Error> {
        match self {
            Self::Property(_) => property::entry(rows),
            Self::Properties(asked) => properties::entry(rows, asked),
            Self::PropertiesKeyset(asked, after) => properties_keyset::entry(rows, asked, after),
            Self::Payment(_) => payment::entry(rows),
            Self::Payments(_, asked) => payments::entry(rows, asked),
            Self::PaymentsKeyset(_, asked, after) => payments_keyset::entry(rows, asked, after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

    fn property() -> PropertyId {
        PropertyId::parse(ID).expect("an id")
    }

    /// It is found again by the key and the field that it has.
    #[track_caller]
    fn found_again(source: &Source) {
        let field = source.field().expect("a name").expect("it is cached");
        assert_eq!(Source::of(source.resource(), &field).as_ref(), Some(source), "{field}");
    }

    #[test]
    fn whatever_is_cached_is_found_again_by_its_key_and_field() {
        found_again(&Source::Property(property()));
        found_again(&Source::Payment(PaymentId::parse(ID).expect("an id")));
        for query in ["", "pageNumber=7&pageSize=50", "sortField=suburb&sortDescending=true", "after="] {
            found_again(&Source::properties(Some(query)).expect("a query"));
        }
        for query in ["", "sortField=amount", "pageNumber=2147483647", "after=", "after=&sortField=paymentMethod"] {
            found_again(&Source::payments(property(), Some(query)).expect("a query"));
        }
        let asked = ListQuery::parse(Some("sortField=weeklyRentAmount"), &properties::SORT_FIELDS).expect("a query");
        let cursor = crate::http::Cursor { value: Some("450.5".into()), id: property() };
        found_again(&Source::PropertiesKeyset(asked, AfterCursor(Some(cursor))));
    }

    #[test]
    fn a_search_is_not_cached_and_a_field_that_no_page_has_is_nothing() {
        for query in ["searchTerm=x", "searchTerm=x&after="] {
            assert_eq!(Source::properties(Some(query)).expect("a query").field(), Ok(None));
        }
        for field in [
            "",
            "1",
            "1|10|address",
            "1|10|address|asc|",
            "01|10|address|asc",
            "1|51|address|asc",
            "0|10|address|asc",
            "1|10|Address|asc",
            "1|10|notes|asc",
            "1|10|address|up",
            "1|10|address|asc|after x",
            "1|10|address|asc|after",
            "99999999999|10|address|asc",
        ] {
            assert_eq!(Source::of(Resource::PropertyList, field), None, "{field}");
        }
        assert_eq!(Source::of(Resource::PaymentList(property()), "1|10|address|asc"), None);
        assert_eq!(Source::of(Resource::Property(property()), "1|10|address|asc"), None);
    }

    proptest! {
        #[test]
        fn no_field_makes_the_reader_panic(field in "\\PC*") {
            for resource in [Resource::PropertyList, Resource::PaymentList(property()), Resource::Property(property())] {
                if let Some(source) = Source::of(resource, &field) {
                    prop_assert_eq!(source.field(), Ok(Some(field.clone())));
                }
            }
        }
    }
}
