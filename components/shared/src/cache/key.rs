//! Cache keys. There is no other way to make one than from a validated tenant and a typed resource.

use crate::domain::{PaymentId, PropertyId, TenantId};
use std::fmt;

/// What every key of this deployment begins with: the variable `redis_instance_name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// 1 to 64 characters of `A-Z a-z 0-9 _ - .`: no `:` and no `~`, which separate the parts of a key, and no character
    /// that means something to a pattern.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        ((1..=64).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

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

impl Resource {
    /// Whether the key holds a hash with a field for each page.
    pub fn is_list(self) -> bool {
        matches!(self, Self::PropertyList | Self::PaymentList(_))
    }

    /// Reads a name that [`Resource`]'s `Display` made, as it lies in the outbox.
    pub fn parse(name: &str) -> Option<Self> {
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

/// The key of one resource of one tenant: `{instance}{tenant}:{resource}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    text: String,
    is_list: bool,
}

impl CacheKey {
    /// Builds the key.
    pub fn new(namespace: &Namespace, tenant: &TenantId, resource: Resource) -> Self {
        Self { text: format!("{}{tenant}:{resource}", namespace.as_str()), is_list: resource.is_list() }
    }

    /// Whose value and which one a key of Redis holds; `None` for a key that is none of these.
    pub fn parse(namespace: &Namespace, key: &str) -> Option<(TenantId, Resource)> {
        let (tenant, name) = key.strip_prefix(namespace.as_str())?.split_once(':')?;
        let (tenant, resource) = (TenantId::parse(tenant)?, Resource::parse(name)?);
        // Another spelling of an id would be another key.
        (Self::new(namespace, &tenant, resource).as_str() == key).then_some((tenant, resource))
    }

    /// The key of the value.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The key of its lock and fences.
    pub fn lock(&self) -> String {
        format!("lock:{}", self.text)
    }

    /// Whether the value is a hash of pages.
    pub fn is_list(&self) -> bool {
        self.is_list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

    fn check(resource: Resource, expected: &str) {
        let namespace = Namespace::parse("RentTracker_").expect("a namespace");
        let tenant = TenantId::parse("landlord-1").expect("a tenant");
        let key = CacheKey::new(&namespace, &tenant, resource);
        assert_eq!(key.as_str(), expected);
        assert_eq!(key.lock(), format!("lock:{expected}"));
        assert_eq!(Resource::parse(&resource.to_string()), Some(resource));
        assert_eq!(CacheKey::parse(&namespace, expected), Some((tenant, resource)));
        assert_eq!(CacheKey::parse(&namespace, &key.lock()), None);
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
        for key in [
            "",
            "R_",
            "R_a",
            "Q_a:property:list",
            "R_~a:property:list",
            "R_:property:list",
            "R_a:x",
            &format!("R_a:payment:{}", ID.to_uppercase()),
        ] {
            assert_eq!(CacheKey::parse(&namespace, key), None, "{key}");
        }
    }

    #[test]
    fn a_namespace_has_no_separators_and_no_pattern_characters() {
        for bad in ["", "a:b", "a~", "a*", "a?", "a[", "a b", "a\\"] {
            assert_eq!(Namespace::parse(bad), None, "{bad}");
        }
    }
}
