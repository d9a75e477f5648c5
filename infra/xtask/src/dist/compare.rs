//! Where two builds differ.

use std::collections::HashSet;
use std::fmt;

use super::files::Files;

/// The first difference.
#[derive(Debug, PartialEq, Eq)]
pub enum Difference {
    /// One build alone has this file.
    Missing {
        path: String,
        /// Which of the two has it.
        only_in: Side,
    },
    /// The same file has other bytes.
    Content {
        path: String,
        offset: usize,
        /// What stands around the offset in the one and in the other, as far as it can be printed.
        around: [String; 2],
        /// The first text that the one alone has, and the other: as a rule the reason. The first byte may be of a length.
        text: [Option<String>; 2],
    },
}

/// One of the two builds.
#[derive(Debug, PartialEq, Eq)]
pub enum Side {
    First,
    Second,
}

/// How many bytes are shown on both sides of the first one that differs.
const SHOWN: usize = 20;
/// So many characters of a path in a row are a text; what is shorter may as well be code.
const SHORTEST_TEXT: usize = 12;
/// How much is shown of a text. The texts of a component have nothing between them.
const SHOWN_OF_TEXT: usize = 200;

/// The first file in the order of paths that is not the same in both, and where.
pub fn first_difference(first: &Files, second: &Files) -> Option<Difference> {
    let mut paths: Vec<&String> = first.keys().chain(second.keys()).collect();
    paths.sort();
    paths.into_iter().find_map(|path| match (first.get(path), second.get(path)) {
        (Some(one), Some(other)) => {
            let offset = offset(one, other)?;
            let around = [around(one, offset), around(other, offset)];
            Some(Difference::Content { path: path.clone(), offset, around, text: [text(one, other), text(other, one)] })
        }
        (Some(_), None) => Some(Difference::Missing { path: path.clone(), only_in: Side::First }),
        (None, _) => Some(Difference::Missing { path: path.clone(), only_in: Side::Second }),
    })
}

/// The first byte that is not the same in both; where one is the beginning of the other, the end of the shorter.
fn offset(one: &[u8], other: &[u8]) -> Option<usize> {
    let differs = one.iter().zip(other).position(|(one, other)| one != other);
    differs.or_else(|| (one.len() != other.len()).then_some(one.len().min(other.len())))
}

fn around(bytes: &[u8], offset: usize) -> String {
    let shown = bytes.get(offset.saturating_sub(SHOWN)..bytes.len().min(offset + SHOWN)).unwrap_or_default();
    shown.escape_ascii().to_string()
}

/// The first text in `one` that `other` does not have.
fn text(one: &[u8], other: &[u8]) -> Option<String> {
    let others: HashSet<&[u8]> = texts(other).collect();
    let text = texts(one).find(|text| !others.contains(text))?;
    Some(text.iter().take(SHOWN_OF_TEXT).map(|byte| char::from(*byte)).collect())
}

fn texts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| !byte.is_ascii_alphanumeric() && !b"/._-".contains(byte))
        .filter(|text| text.len() >= SHORTEST_TEXT)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Missing { path, only_in: Side::First } => write!(f, "the second build has no {path}"),
            Difference::Missing { path, only_in: Side::Second } => write!(f, "the first build has no {path}"),
            Difference::Content { path, offset, around: [one, other], text } => {
                write!(f, "{path} differs at byte {offset}\n  first:  {one}\n  second: {other}")?;
                for (text, which) in text.iter().zip(["first", "second"]) {
                    if let Some(text) = text {
                        write!(f, "\n  only the {which} has \"{text}\"")?;
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(of: &[(&str, &str)]) -> Files {
        of.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[track_caller]
    fn check(first: &[(&str, &str)], second: &[(&str, &str)], expected: Option<&str>) {
        let difference = first_difference(&files(first), &files(second)).map(|it| it.to_string());
        assert_eq!(difference.as_deref(), expected);
    }

    #[test]
    fn equal_builds_have_no_difference() {
        check(&[("a", "1"), ("b", "2")], &[("a", "1"), ("b", "2")], None);
    }

    #[test]
    fn the_first_file_that_differs_is_named_with_the_offset() {
        let first = [("a", "same"), ("b", "in one"), ("c", "x")];
        let second = [("a", "same"), ("b", "in two"), ("c", "y")];
        check(&first, &second, Some("b differs at byte 3\n  first:  in one\n  second: in two"));
    }

    #[test]
    fn a_text_that_one_alone_has_is_named_however_far_behind_a_length_it_is() {
        let first = format!("\u{1}{}\u{0}/home/me/lib.rs\u{0}of both of them", "-".repeat(SHOWN));
        let second = format!("\u{2}{}\u{0}/cargo/lib.rs\u{0}of both of them", "-".repeat(SHOWN));
        let expected = format!(
            "a differs at byte 0\n  first:  \\x01{0}\n  second: \\x02{0}\n  only the first has \"/home/me/lib.rs\"\n  \
             only the second has \"/cargo/lib.rs\"",
            "-".repeat(SHOWN - 1)
        );
        check(&[("a", &first)], &[("a", &second)], Some(&expected));
    }

    #[test]
    fn a_file_that_is_the_beginning_of_the_other_differs_at_its_end() {
        check(&[("a", "12")], &[("a", "123")], Some("a differs at byte 2\n  first:  12\n  second: 123"));
    }

    #[test]
    fn a_file_that_one_build_lacks_is_named() {
        check(&[("a", "1"), ("b", "2")], &[("b", "2")], Some("the second build has no a"));
        check(&[("b", "2")], &[("b", "2"), ("c", "3")], Some("the first build has no c"));
    }
}
