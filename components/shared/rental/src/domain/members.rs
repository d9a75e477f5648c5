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
/// whether anything was. Members that are not asked for are ignored, and nothing is built of them.
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
mod tests;
