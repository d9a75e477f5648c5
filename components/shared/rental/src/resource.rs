//! What RentTracker caches.

use crate::domain::{PaymentId, PropertyId};
use std::fmt;

/// What is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// One property.
    Property(PropertyId),
    /// A tenant's properties: all pages under one key, so that one delete invalidates them all.
    PropertyList,
    /// The payments for a property: all pages under one key.
    PaymentList(PropertyId),
    /// One payment.
    Payment(PaymentId),
}

impl cache::Resource for Resource {
    fn parse(name: &str) -> Option<Self> {
        if name == "property:list" {
            return Some(Self::PropertyList);
        }
        if let Some(id) = name.strip_prefix("payment:") {
            return PaymentId::parse(id).map(Self::Payment);
        }
        let rest = name.strip_prefix("property:")?;
        match rest.strip_suffix(":payments:list") {
            Some(id) => PropertyId::parse(id).map(Self::PaymentList),
            None => PropertyId::parse(rest).map(Self::Property),
        }
    }

    fn is_list(&self) -> bool {
        matches!(self, Self::PropertyList | Self::PaymentList(_))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Property(id) => write!(f, "property:{id}"),
            Self::PropertyList => f.write_str("property:list"),
            Self::PaymentList(id) => write!(f, "property:{id}:payments:list"),
            Self::Payment(id) => write!(f, "payment:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache::{CacheKey, Namespace, Owner, Resource as _};

    const ID: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

    fn check(resource: Resource, expected: &str) {
        let namespace = Namespace::parse("RentTracker_").expect("a namespace");
        let tenant = Owner::parse("landlord-1").expect("a tenant");
        assert_eq!(CacheKey::new(&namespace, &tenant, &resource).as_str(), expected);
        assert_eq!(Resource::parse(&resource.to_string()), Some(resource));
        assert_eq!(CacheKey::parse(&namespace, expected), Some((tenant, resource)));
    }

    #[test]
    fn keys_are_spelled_as_the_design_says_and_read_back_from_the_outbox() {
        let property = PropertyId::parse(ID).expect("an id");
        let payment = PaymentId::parse(ID).expect("an id");
        check(Resource::Property(property), &format!("RentTracker_landlord-1:property:{ID}"));
        check(Resource::PropertyList, "RentTracker_landlord-1:property:list");
        check(Resource::PaymentList(property), &format!("RentTracker_landlord-1:property:{ID}:payments:list"));
        check(Resource::Payment(payment), &format!("RentTracker_landlord-1:payment:{ID}"));
    }

    #[test]
    fn no_other_name_is_a_resource() {
        for name in ["", "property:", "property:*", "payment:list", "property:list:x", "other:property:list"] {
            assert_eq!(Resource::parse(name), None, "{name}");
        }
        let namespace = Namespace::parse("R_").expect("a namespace");
        for key in ["R_a:x", &format!("R_a:payment:{}", ID.to_uppercase())] {
            assert_eq!(CacheKey::parse::<Resource>(&namespace, key), None, "{key}");
        }
    }
}
