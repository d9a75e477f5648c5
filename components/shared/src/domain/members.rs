//! The members of a request body, read one by one with every complaint collected.

use super::{Money, RowVersion, Timestamp, Violations};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::RangeInclusive;

/// How deep arrays and objects may lie in one another. The client's view model has five levels.
const MAX_NESTING: usize = 32;
/// The most members and elements in a body, counted at all levels: more than a mebibyte of payments has.
const MAX_VALUES: usize = 64 * 1024;

/// A JSON object from a client whose members match in any case: the client sends `Address`, other callers `address`.
///
/// Each getter answers what the member holds, or `None` after noting what is wrong with it; [`Members::finish`] tells
/// whether anything was. Members that nobody asks for are ignored, and nothing is built of them.
#[derive(Debug)]
pub struct Members<'a> {
    /// As they are spelled in the body, by their names in lower case. A number keeps its digits: money never passes through
    /// a float.
    members: HashMap<String, &'a RawValue>,
    /// The names, in lower case, that were given more than once, in one spelling or several.
    repeated: HashSet<String>,
    violations: Violations,
}

impl<'a> Members<'a> {
    /// Reads a body. What is not JSON, not an object, or beyond the limits is a violation of the member `body`.
    pub fn parse(body: &'a [u8]) -> Result<Self, Violations> {
        check_extent(body)?;
        let Pairs(pairs) = serde_json::from_slice(body).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => Violations::one("body", "must be a JSON object"),
            _ => Violations::one(
                "body",
                format!("is not valid JSON at line {}, column {}", error.line(), error.column()),
            ),
        })?;
        let (mut members, mut repeated) = (HashMap::with_capacity(pairs.len()), HashSet::new());
        for (name, value) in pairs {
            let name = name.to_lowercase();
            if members.insert(name.clone(), value).is_some() {
                repeated.insert(name);
            }
        }
        Ok(Self { members, repeated, violations: Violations::default() })
    }

    /// The member as it is spelled; `null` is as good as absent.
    fn value(&self, name: &str) -> Option<&'a str> {
        self.members.get(&name.to_lowercase()).map(|value| value.get()).filter(|value| *value != "null")
    }

    /// The member, to be read. One that was given more than once is refused: readers of JSON do not agree on
    /// which of them counts (RFC 8259, section 4), and what was checked before us may have been another.
    fn read(&mut self, name: &str) -> Option<&'a str> {
        if self.repeated.contains(&name.to_lowercase()) {
            self.refuse(name, "is given more than once");
            return None;
        }
        self.value(name)
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
        self.value(name).is_some_and(|value| value.starts_with('{'))
    }

    /// A text of any length.
    fn text(&mut self, name: &str) -> Option<String> {
        let value = self.read(name)?;
        if !value.starts_with('"') {
            self.refuse(name, "must be a string");
            return None;
        }
        let text = serde_json::from_str(value).ok();
        if text.is_none() {
            self.refuse(name, "has half of a surrogate pair, which is no character");
        }
        text
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
        let value = self.read(name)?;
        if !is_number(value) {
            self.refuse(name, "must be a number");
            return None;
        }
        let money = Money::parse(value);
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
        let value = self.read(name)?;
        let version = value.parse().ok().and_then(RowVersion::new);
        if version.is_none() {
            self.refuse(name, "must be an integer of at least 1");
        }
        version
    }

    /// An id, read by `parse`.
    pub fn optional_id<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.optional_parsed(name, parse, "must be a UUID")
    }

    /// A text that `parse` understands; `form` says what it must be.
    pub fn optional_parsed<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>, form: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.refuse(name, form);
        }
        value
    }

    /// A list of 1 to `max` texts that `parse` understands; `form` says what each must be.
    pub fn optional_list<T>(
        &mut self,
        name: &str,
        max: usize,
        parse: impl Fn(&str) -> Option<T>,
        form: &str,
    ) -> Option<Vec<T>> {
        let value = self.read(name)?;
        let texts: Option<Vec<String>> = serde_json::from_str(value).ok();
        let Some(texts) = texts.filter(|texts| (1..=max).contains(&texts.len())) else {
            self.refuse(name, format!("must be a list of 1 to {max} strings"));
            return None;
        };
        let all: Option<Vec<T>> = texts.iter().map(|text| parse(text)).collect();
        if all.is_none() {
            self.refuse(name, format!("has one that is wrong: each {form}"));
        }
        all
    }

    /// A whole number within these bounds.
    pub fn optional_number(&mut self, name: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let value = self.read(name)?;
        let number = value.parse().ok().filter(|number| bounds.contains(number));
        if number.is_none() {
            self.refuse(name, format!("must be a whole number from {} to {}", bounds.start(), bounds.end()));
        }
        number
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

/// Whether JSON that is well-formed is a number.
fn is_number(value: &str) -> bool {
    value.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// Passes a body that is not nested too deep and has not too many values. It is looked at before it is parsed, so that
/// nothing is built of what is refused; what is no JSON may pass, and is refused by the parser.
fn check_extent(body: &[u8]) -> Result<(), Violations> {
    let (mut depth, mut values) = (0_usize, 0_usize);
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                values += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err(Violations::one("body", format!("is nested more than {MAX_NESTING} levels deep")));
        }
        if values > MAX_VALUES {
            return Err(Violations::one("body", format!("has more than {MAX_VALUES} members and elements")));
        }
    }
    Ok(())
}

/// The members of an object as they were sent, those of one name included: a map would keep one of them.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn members(json: &str) -> Members<'_> {
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
    fn numbers_and_lists_have_their_bounds() {
        let mut body =
            members(r#"{"a": 5, "b": 6, "c": -1, "d": "5", "e": 5.0, "f": ["x", "y"], "g": [], "h": [1], "i": ["z"]}"#);
        assert_eq!(body.optional_number("a", 1..=5), Some(5));
        for member in ["b", "c", "d", "e"] {
            assert_eq!(body.optional_number(member, 1..=5), None, "{member}");
        }
        let not_z = |text: &str| (text != "z").then(|| text.to_owned());
        assert_eq!(body.optional_list("f", 2, not_z, "is not z"), Some(vec!["x".to_owned(), "y".to_owned()]));
        for (member, max) in [("f", 1), ("g", 2), ("h", 2), ("i", 2), ("a", 2)] {
            assert_eq!(body.optional_list(member, max, not_z, "is not z"), None, "{member}");
        }
        let violations = body.finish().expect_err("members are wrong");
        assert_eq!(violations.by_member().keys().collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    }

    #[test]
    fn what_is_no_json_object_is_a_violation_of_the_body() {
        for bad in [
            "",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":nul}",
            "{\"a\":\"\\x\"}",
            "[]",
            "5",
            "{",
            "{} x",
            "{\"a\":1,}",
            "// c\n{}",
            "\"\u{0}\"",
        ] {
            let violations = Members::parse(bad.as_bytes()).expect_err(bad);
            assert!(violations.by_member().contains_key("body"), "{bad}");
        }
        assert!(Members::parse(&"[".repeat(100_000).into_bytes()).is_err());
        assert!(Members::parse(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn a_member_given_twice_in_any_case_is_refused_if_anybody_asks_for_it() {
        for twice in [
            r#""address": "a", "address": "b""#,
            r#""Address": "a", "address": "a""#,
            r#""address": null, "ADDRESS": "a""#,
        ] {
            let json = format!("{{{twice}}}");
            let mut body = members(&json);
            body.optional_text("address", 200);
            let violations = body.finish().expect_err(twice);
            assert_eq!(violations.by_member()["address"], ["is given more than once"], "{twice}");
        }
        let mut body = members(r#"{"address": "a", "other": 1, "other": 2, "deep": {"a": 1, "a": 2}}"#);
        assert_eq!(body.required_text("address", 200).as_deref(), Some("a"));
        assert!(body.finish().is_ok());
    }

    #[test]
    fn an_object_is_no_number_whatever_its_members_are_called() {
        for name in ["$serde_json::private::Number", "$serde_json::private::RawValue"] {
            let json =
                format!(r#"{{"amount": {{"{name}": "5"}}, "rowVersion": {{"{name}": "5"}}, "id": {{"{name}": "5"}}}}"#);
            let mut body = members(&json);
            body.optional_money("amount");
            body.optional_version("rowVersion");
            body.optional_text("id", 5);
            assert_eq!(body.finish().expect_err("no numbers").by_member().len(), 3, "{json}");
        }
    }

    #[test]
    fn nesting_and_the_number_of_values_are_bounded() {
        let nested = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(Members::parse(nested(MAX_NESTING).as_bytes()).is_ok());
        assert!(Members::parse(nested(MAX_NESTING + 1).as_bytes()).is_err());
        let elements = |count: usize| format!(r#"{{"a":[1{}]}}"#, ",1".repeat(count - 3));
        assert!(Members::parse(elements(MAX_VALUES + 1).as_bytes()).is_ok());
        assert!(Members::parse(elements(MAX_VALUES + 2).as_bytes()).is_err());
        // What stands in a text is text.
        let text = format!(r#"{{"a":"\\\"{}"}}"#, "[{,".repeat(MAX_VALUES));
        assert!(Members::parse(text.as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Members::parse(&body);
        }
    }
}
