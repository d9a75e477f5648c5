//! The parameters of a query.

use crate::domain::Violations;
use percent_encoding::percent_decode_str;

/// The parameter `name` as text, `None` when it is absent. Names match in any case, and the first of two with the same name
/// counts. What is no UTF-8 is noted as a violation rather than replaced by something that was not sent, and so is NUL,
/// which PostgreSQL's text cannot hold. A `%` that begins no escape is a `%`.
pub fn parameter(query: Option<&str>, name: &str, violations: &mut Violations) -> Option<String> {
    let mut pairs = query?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(key, _)| decoded(key).is_some_and(|key| key.eq_ignore_ascii_case(name)))?;
    let text = decoded(value);
    match &text {
        None => violations.add(name, "must be UTF-8"),
        Some(text) if text.contains('\0') => violations.add(name, "must not contain a NUL character"),
        Some(_) => return text,
    }
    None
}

/// `+` is a space, and `%XX` a byte (application/x-www-form-urlencoded).
fn decoded(part: &str) -> Option<String> {
    percent_decode_str(&part.replace('+', " ")).decode_utf8().ok().map(|text| text.into_owned())
}
