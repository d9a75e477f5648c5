//! The members of a request body, read one by one with every complaint collected.

use super::{Money, RowVersion, Timestamp, Violations};
use serde_json::{Map, Value};

/// A JSON object from a client whose members match in any case: the client sends `Address`, other callers `address`.
///
/// Each getter answers what the member holds, or `None` after noting what is wrong with it; [`Members::finish`] tells
/// whether anything was. Members that nobody asks for are ignored.
#[derive(Debug)]
pub struct Members {
    members: Map<String, Value>,
    violations: Violations,
}

impl Members {
    /// Reads a body. What is not JSON, or not an object, is a violation of the member `body`; nesting is bounded by the
    /// parser (128 levels).
    pub fn parse(body: &[u8]) -> Result<Self, Violations> {
        let value = serde_json::from_slice(body).map_err(|error| {
            Violations::one("body", format!("is not valid JSON at line {}, column {}", error.line(), error.column()))
        })?;
        let Value::Object(object) = value else {
            return Err(Violations::one("body", "must be a JSON object"));
        };
        // Where two spellings of one member are sent, the later one wins, as it does for two of the same.
        let members = object.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
        Ok(Self { members, violations: Violations::default() })
    }

    /// The member as it was sent; `null` is as good as absent.
    fn value(&self, name: &str) -> Option<&Value> {
        self.members.get(&name.to_lowercase()).filter(|value| !value.is_null())
    }

    /// Notes a violation of a member.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.violations.add(name, message);
    }

    /// Whether the member is there and not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Whether the member is an object.
    pub fn is_object(&self, name: &str) -> bool {
        self.value(name).is_some_and(Value::is_object)
    }

    /// A text of any length.
    fn text(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text.clone()),
            _ => {
                self.refuse(name, "must be a string");
                None
            }
        }
    }

    /// A text of at most `max` characters without NUL, which PostgreSQL cannot store.
    pub fn optional_text(&mut self, name: &str, max: usize) -> Option<String> {
        let text = self.text(name)?;
        if text.chars().count() > max {
            self.refuse(name, format!("must have at most {max} characters"));
            return None;
        }
        if text.contains('\0') {
            self.refuse(name, "must not contain a NUL character");
            return None;
        }
        Some(text)
    }

    /// A text of 1 to `max` characters that is not blank.
    pub fn required_text(&mut self, name: &str, max: usize) -> Option<String> {
        if self.value(name).is_none() {
            self.refuse(name, "is required");
            return None;
        }
        let text = self.optional_text(name, max)?;
        if text.trim().is_empty() {
            self.refuse(name, "must not be blank");
            return None;
        }
        Some(text)
    }

    /// An amount of money.
    pub fn optional_money(&mut self, name: &str) -> Option<Money> {
        let Value::Number(number) = self.value(name)? else {
            self.refuse(name, "must be a number");
            return None;
        };
        let money = Money::parse(number.as_str());
        if money.is_none() {
            self.refuse(
                name,
                "must have at most 2 decimals and lie between -9999999999999999.99 and 9999999999999999.99",
            );
        }
        money
    }

    /// An amount of money that must be there.
    pub fn required_money(&mut self, name: &str) -> Option<Money> {
        self.required(name)?;
        self.optional_money(name)
    }

    /// A point in time.
    pub fn optional_time(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.text(name)?;
        let time = Timestamp::parse(&text);
        if time.is_none() {
            self.refuse(name, "must be an RFC 3339 date or time between the years 1 and 9999");
        }
        time
    }

    /// A point in time that must be there.
    pub fn required_time(&mut self, name: &str) -> Option<Timestamp> {
        self.required(name)?;
        self.optional_time(name)
    }

    /// A row version.
    pub fn optional_version(&mut self, name: &str) -> Option<RowVersion> {
        let version = match self.value(name)? {
            Value::Number(number) => number.as_i64().and_then(RowVersion::new),
            _ => None,
        };
        if version.is_none() {
            self.refuse(name, "must be an integer of at least 1");
        }
        version
    }

    /// An id, read by `parse`.
    pub fn optional_id<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let id = parse(&text);
        if id.is_none() {
            self.refuse(name, "must be a UUID");
        }
        id
    }

    /// `None` after noting that the member is missing.
    fn required(&mut self, name: &str) -> Option<()> {
        if self.value(name).is_none() {
            self.refuse(name, "is required");
            return None;
        }
        Some(())
    }

    /// What was wrong with the members that were asked for.
    pub fn finish(self) -> Result<(), Violations> {
        if self.violations.is_empty() { Ok(()) } else { Err(self.violations) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn members(json: &str) -> Members {
        Members::parse(json.as_bytes()).expect("a JSON object")
    }

    #[test]
    fn names_match_in_any_case_and_null_is_absent() {
        let mut body = members(r#"{"ADDRESS": "1 High St", "suburb": null}"#);
        assert_eq!(body.required_text("address", 200).as_deref(), Some("1 High St"));
        assert_eq!(body.optional_text("suburb", 100), None);
        assert!(body.finish().is_ok());
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        let mut body = members(r#"{"state": "ääääää"}"#);
        assert!(body.optional_text("state", 6).is_some());
        assert!(body.optional_text("state", 5).is_none());
        assert!(body.finish().is_err());
    }

    #[test]
    fn every_complaint_names_its_member() {
        let mut body =
            members(r#"{"address": 5, "amount": "5", "when": "soon", "id": "x", "rowVersion": 0, "note": "a\u0000"}"#);
        body.required_text("address", 200);
        body.required_money("amount");
        body.required_time("when");
        body.optional_id("id", super::super::PropertyId::parse);
        body.optional_version("rowVersion");
        body.optional_text("note", 10);
        body.required_time("missing");
        let violations = body.finish().expect_err("seven members are wrong");
        assert_eq!(
            violations.by_member().keys().collect::<Vec<_>>(),
            ["address", "amount", "id", "missing", "note", "rowVersion", "when"]
        );
    }

    #[test]
    fn what_is_no_json_object_is_a_violation_of_the_body() {
        for bad in ["", "[]", "5", "{", "{} x", "{\"a\":1,}", "// c\n{}", "\"\u{0}\""] {
            let violations = Members::parse(bad.as_bytes()).expect_err(bad);
            assert!(violations.by_member().contains_key("body"), "{bad}");
        }
        assert!(Members::parse(&"[".repeat(100_000).into_bytes()).is_err());
        assert!(Members::parse(&[0xff, 0xfe]).is_err());
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Members::parse(&body);
        }
    }
}
