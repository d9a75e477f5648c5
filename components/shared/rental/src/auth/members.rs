//! JSON objects in which every member stands once.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The members of an object. Of two with one name, one reader takes the first and another the last, and who can make them
/// disagree may get past both: such an object is refused (RFC 7515, section 4; RFC 7519, section 4).
#[derive(Debug)]
pub struct Members(Map<String, Value>);

impl Members {
    /// The member, if it is there.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The member, if it says anything: what is null or empty is as good as absent. So are those of a JWK, none of which but
    /// `kty` is needed for every key (RFC 7517, section 4), and .NET writes all that it knows of (`"key_ops": []`).
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(elements) => !elements.is_empty(),
            Value::Object(members) => !members.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
        })
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_refused_however_it_is_spelt() {
        let parse = |text: &str| serde_json::from_str::<Members>(text).map(|members| members.get("a").cloned());
        assert_eq!(parse(r#"{"a":1,"b":2}"#).ok(), Some(Some(Value::from(1))));
        for bad in [r#"{"a":1,"a":1}"#, r#"{"a":1,"b":2,"\u0061":3}"#, "[]", "1", r#"{"a":1} x"#, ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
