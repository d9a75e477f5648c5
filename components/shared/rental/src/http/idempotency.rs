//! `Idempotency-Key` on a POST (draft-ietf-httpapi-idempotency-key-header-07): sent again with the same key, a request is
//! answered as it was the first time, and nothing is done twice.

use crate::domain::Violations;
use crate::error::Error;
use crate::sql::{Parameter, RowError, RowReader};
use http::HeaderMap;
use http::request::Parts;
use sha2::{Digest, Sha256};

const HEADER: &str = "Idempotency-Key";
/// The longest key, in characters: long enough for any UUID or hash with a prefix, short enough for an index.
const MAX_LENGTH: usize = 255;

/// The key of a request, and what it was sent for the first time with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    key: String,
    /// SHA-256 of method, path and body, in hexadecimal.
    request: String,
}

impl Idempotency {
    /// Reads the header; `None` when there is none, and then every request is one of its own.
    ///
    /// # Errors
    /// Names the header when it is no key, or when there are several.
    pub fn of(request: &Parts, body: &[u8]) -> Result<Option<Self>, Violations> {
        let Some(key) = key(&request.headers)? else {
            return Ok(None);
        };
        // No method and no path has a line end, so no two requests give the same bytes.
        let mut digest = Sha256::new_with_prefix(format!("{}\n{}\n", request.method, request.uri.path()));
        digest.update(body);
        let request = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Some(Self { key, request }))
    }

    /// The key and the digest as a statement takes them, or twice `NULL`.
    pub fn parameters(this: Option<&Self>) -> [Parameter; 2] {
        [Parameter::optional_text(this.map(|it| &it.key)), Parameter::optional_text(this.map(|it| &it.request))]
    }
}

/// A key is 1 to 255 visible ASCII characters. The draft has it as a string of RFC 8941, in quotation marks and with `\`
/// before a quotation mark or a backslash; most clients send it bare. Both are taken, and `"k"` and `k` are one key.
fn key(headers: &HeaderMap) -> Result<Option<String>, Violations> {
    let refused = || Violations::one(HEADER, format!("must be one key of 1 to {MAX_LENGTH} visible ASCII characters"));
    let mut values = headers.get_all(HEADER).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(HEADER) { Err(refused()) } else { Ok(None) };
    };
    let text = value.to_str().map_err(|_| refused())?.trim_matches([' ', '\t']);
    let key = match text.strip_prefix('"') {
        Some(rest) => unquoted(rest).ok_or_else(refused)?,
        None => text.to_owned(),
    };
    let is_key = (1..=MAX_LENGTH).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key { Ok(Some(key)) } else { Err(refused()) }
}

/// What stands before the closing quotation mark, which must be the last character.
fn unquoted(text: &str) -> Option<String> {
    let mut key = String::with_capacity(text.len());
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return characters.as_str().is_empty().then_some(key),
            '\\' => key.push(characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            other => key.push(other),
        }
    }
}

/// What a key turned out to be when a statement claimed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is new, or there is none: the statement did what the request asks for.
    First,
    /// It was used for this request before, and the rest of the row is what that request made.
    Again,
    /// The request cannot be answered with it.
    Refused(Error),
}

impl Claim {
    /// Reads the columns `is_free` and `known_request` of the SQL function `claim_idempotency_key`.
    ///
    /// # Errors
    /// When the row does not begin with them.
    pub fn from_row(row: &mut RowReader<'_>, asked: Option<&Idempotency>) -> Result<Self, RowError> {
        let is_free = row.boolean()?;
        let known_request = row.optional_text()?;
        Ok(match (is_free, known_request, asked) {
            (true, _, _) => Self::First,
            (false, Some(known), Some(asked)) if known == asked.request => Self::Again,
            (false, Some(_), _) => Self::Refused(Error::KeyReused),
            (false, None, _) => Self::Refused(Error::KeyInUse),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Column;

    fn request(path: &str, keys: &[&[u8]]) -> Parts {
        let mut builder = http::Request::post(path);
        for key in keys {
            builder = builder.header(HEADER, http::HeaderValue::from_bytes(key).expect("a header value"));
        }
        builder.body(()).expect("a request").into_parts().0
    }

    fn check(value: &str, expected: Option<&str>) {
        let read = key(&request("/", &[value.as_bytes()]).headers);
        assert_eq!(read.ok().flatten().as_deref(), expected, "{value}");
    }

    #[test]
    fn a_key_is_read_bare_and_as_a_structured_string_alike() {
        check("8e03978e-40d5-43dd-bc93-6894a57f9324", Some("8e03978e-40d5-43dd-bc93-6894a57f9324"));
        check("\"8e03978e\"", Some("8e03978e"));
        check(r#" "a\"b\\c" "#, Some(r#"a"b\c"#));
        check(r#"a"b\c"#, Some(r#"a"b\c"#));
        check(&"k".repeat(255), Some(&"k".repeat(255)));
        check(&format!("\"{}\"", "k".repeat(255)), Some(&"k".repeat(255)));
    }

    #[test]
    fn a_text_that_is_no_key_is_refused() {
        let long = "k".repeat(256);
        for bad in
            ["", " ", "\"\"", "a b", "\"a b\"", "\"a", "\"a\"b", "\"a\";p=1", r#""a\n""#, r#""a\"#, "k\u{e9}", &long]
        {
            check(bad, None);
            assert!(key(&request("/", &[bad.as_bytes()]).headers).is_err(), "{bad:?}");
        }
        assert!(key(&request("/", &[b"a", b"a"]).headers).is_err());
        assert!(key(&request("/", &[b"a\xff"]).headers).is_err());
        assert_eq!(key(&request("/", &[]).headers), Ok(None));
    }

    proptest::proptest! {
        #[test]
        fn every_key_is_the_same_bare_and_quoted(text in "[!-~]{1,255}") {
            let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            check(&quoted, Some(&text));
            if !text.starts_with('"') {
                check(&text, Some(&text));
            }
        }

        #[test]
        fn whatever_stands_in_the_header_is_a_key_or_refused(bytes in proptest::collection::vec(proptest::prop_oneof![32..=126_u8, 128..=255_u8], 0..300)) {
            if let Ok(Some(key)) = key(&request("/", &[&bytes]).headers) {
                proptest::prop_assert!((1..=MAX_LENGTH).contains(&key.len()));
            }
        }
    }

    #[test]
    fn another_path_or_body_is_another_request() {
        let of = |path, body: &[u8]| Idempotency::of(&request(path, &[b"k"]), body).expect("a key");
        assert_eq!(of("/a", b"{}"), of("/a", b"{}"));
        assert_ne!(of("/a", b"{}"), of("/b", b"{}"));
        assert_ne!(of("/a", b"{}"), of("/a", b"{ }"));
    }

    #[test]
    fn only_the_same_request_is_answered_again() {
        let asked = Idempotency { key: "k".into(), request: "abc".into() };
        let claim = |is_free, known: Option<&str>| {
            let known = known.map_or(Column::Null, |known| Column::Text(known.into()));
            Claim::from_row(&mut RowReader::new(&[Column::Boolean(is_free), known]), Some(&asked))
        };
        assert_eq!(claim(true, None), Ok(Claim::First));
        assert_eq!(claim(false, Some("abc")), Ok(Claim::Again));
        assert_eq!(claim(false, Some("abd")), Ok(Claim::Refused(Error::KeyReused)));
        assert_eq!(claim(false, None), Ok(Claim::Refused(Error::KeyInUse)));
    }
}
