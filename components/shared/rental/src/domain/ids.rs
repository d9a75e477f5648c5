//! Identifiers of properties, payments and payment methods.

use serde::Serialize;
use std::fmt;
use uuid::Uuid;

/// The length of `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
const HYPHENATED_LENGTH: usize = 36;

/// Parses the hyphenated spelling, in any case. The braced, `urn:` and unhyphenated ones that the crate would also take
/// are not resources: the contract has one spelling.
fn parse_hyphenated(text: &str) -> Option<Uuid> {
    if text.len() != HYPHENATED_LENGTH {
        return None;
    }
    Uuid::try_parse(text).ok()
}

/// What names a row, and breaks ties in the order of a list.
pub trait Id: Copy + fmt::Display {
    /// Reads the hyphenated spelling, in any case; `None` for everything else.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
        pub struct $name(Uuid);

        impl $name {
            /// Reads the hyphenated spelling, in any case; `None` for everything else.
            pub fn parse(text: &str) -> Option<Self> {
                parse_hyphenated(text).map(Self)
            }

            /// Appends the hyphenated spelling, in lower case.
            pub fn push_to(&self, text: &mut String) {
                text.push_str(self.0.hyphenated().encode_lower(&mut [0; HYPHENATED_LENGTH]));
            }

            /// Makes a time-ordered id (UUID version 7, RFC 9562) from a Unix time in milliseconds and random bytes.
            pub fn new(unix_ms: u64, random: &[u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, random).into_uuid())
            }
        }

        impl Id for $name {
            fn read(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

identifier!(
    /// Names a rental property.
    PropertyId
);
identifier!(
    /// Names a rent payment.
    PaymentId
);
identifier!(
    /// Names a way of paying.
    PaymentMethodId
);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(PropertyId::parse(text).map(|id| id.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn only_the_hyphenated_spelling_is_an_id_and_case_does_not_matter() {
        let id = "0192f0c1-2345-7abc-8def-0123456789ab";
        check(id, Some(id));
        check(&id.to_uppercase(), Some(id));
        check("0192f0c123457abc8def0123456789ab", None);
        check("{0192f0c1-2345-7abc-8def-0123456789ab}", None);
        check("urn:uuid:0192f0c1-2345-7abc-8def-0123456789ab", None);
        check("0192f0c1-2345-7abc-8def-0123456789a", None);
        check("0192f0c1-2345-7abc-8def-0123456789ag", None);
        check("", None);
    }

    #[test]
    fn a_new_id_is_a_version_7_uuid_that_starts_with_its_time() {
        let id = PropertyId::new(0x0192_f0c1_2345, &[0xff; 10]).to_string();
        assert_eq!(id, "0192f0c1-2345-7fff-bfff-ffffffffffff");
    }
}
