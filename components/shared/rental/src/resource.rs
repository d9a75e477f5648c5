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

    fn push_name(&self, text: &mut String) {
        match self {
            Self::PropertyList => text.push_str("property:list"),
            Self::Property(id) | Self::PaymentList(id) => {
                text.push_str("property:");
                id.push_to(text);
            }
            Self::Payment(id) => {
                text.push_str("payment:");
                id.push_to(text);
            }
        }
        if let Self::PaymentList(_) = self {
            text.push_str(":payments:list");
        }
    }

    fn is_list(&self) -> bool {
        matches!(self, Self::PropertyList | Self::PaymentList(_))
    }

    /// A payment's entry names the property that it was made for, unless there is no such payment.
    fn note_check(&self) -> fn(&[u8]) -> bool {
        match self {
            Self::Payment(_) => |note| note.is_empty() || property_of(note).is_some(),
            Self::Property(_) | Self::PropertyList | Self::PaymentList(_) => <[u8]>::is_empty,
        }
    }
}

/// The property that a payment was made for, as its entry's note has it; `None` for what is no id.
pub fn property_of(note: &[u8]) -> Option<PropertyId> {
    std::str::from_utf8(note).ok().and_then(PropertyId::parse)
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut name = String::new();
        cache::Resource::push_name(self, &mut name);
        f.write_str(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache::{CacheKey, Entry, Namespace, Owner, Rejection, Resource as _, Seals, Slot};

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

    /// Entries of this payment, in epoch 5, of row version 7: as the release 0.1 stored it with a checksum alone, as it is stored now,
    /// and sealed. A release that cannot open them empties the cache of those that have them.
    const CHECKED_0_1: &str = "52540158d16cd805000000000000000700000000000000013b002452656e74547261636b65725f613a7061796d656e743a3031393266306331\
        2d323334352d376162632d386465662d3031323334353637383961620a30313932663063312d323334352d376162632d386465662d303132\
        3334353637383961627b226964223a317d";
    const CHECKED: &str = "52540329f9a146afafa1e705000000000000000700000000000000013b002452656e74547261636b65725f613a7061796d656e743a3031393266306331\
        2d323334352d376162632d386465662d3031323334353637383961620a30313932663063312d323334352d376162632d386465662d303132\
        3334353637383961627b226964223a317d";
    const SEALED: &str = "52540209090909090909090909090909090909090909090909090905000000000000000700000000000000013b002452656e74547261636b65\
        725f613a7061796d656e743a30313932663063312d323334352d376162632d386465662d3031323334353637383961620a9456115fe4aa95\
        721a53da7597553b57e03f23e64ba00729d772501c4e34b7e7bdc8be15a85d1b194c929fc03f22b03b3791cbe4cbfe6561b9db1bee";
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            hex.chars().map(|c| c.to_digit(16).and_then(|it| it.try_into().ok()).expect("a digit")).collect();
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| 16 * byte + digit)).collect()
    }

    fn slot(seals: Option<&Seals>, resource: Resource) -> Slot<'static> {
        let namespace = Namespace::parse("RentTracker_").expect("a namespace");
        Slot::new(&namespace, seals, &Owner::parse("a").expect("a tenant"), &resource, "")
    }

    #[test]
    fn entries_of_the_last_release_are_opened_and_new_ones_are_made_as_they_were() {
        let payment = Resource::Payment(PaymentId::parse(ID).expect("an id"));
        let seals = Seals::parse(KEY, crate::config::SEAL_PURPOSE).expect("a key");
        for (stored, seals, is_made) in
            [(CHECKED_0_1, None, false), (CHECKED, None, true), (SEALED, seals.as_ref(), true)]
        {
            let slot = slot(seals, payment);
            let entry = slot.open(bytes(stored), 5).expect("an entry");
            assert_eq!((entry.version.map(u64::from), entry.body.as_slice()), (Some(7), br#"{"id":1}"#.as_slice()));
            assert_eq!(property_of(&entry.note), PropertyId::parse(ID));
            let mut damaged = bytes(stored);
            damaged.last_mut().into_iter().for_each(|byte| *byte ^= 1);
            assert!(slot.open(damaged, 5).is_err(), "{stored:.6}");
            assert_eq!(slot.wrap(&entry, 5, Some(&[9; 24])) == bytes(stored), is_made, "{stored:.6}");
        }
    }

    #[test]
    fn an_entry_with_a_note_that_is_none_of_its_resource_is_damaged() {
        let property = Resource::Property(PropertyId::parse(ID).expect("an id"));
        let payment = Resource::Payment(PaymentId::parse(ID).expect("an id"));
        for (resource, note, opens) in [
            (property, "", true),
            (property, ID, false),
            (payment, "", true),
            (payment, ID, true),
            (payment, "another form", false),
        ] {
            let slot = slot(None, resource);
            let entry = Entry { note: note.into(), ..Entry::of(b"{}".to_vec()) };
            let expected = if opens { Ok(entry.clone()) } else { Err(Rejection::Damaged) };
            assert_eq!(slot.open(slot.wrap(&entry, 5, None), 5), expected, "{resource} {note}");
        }
    }
}
