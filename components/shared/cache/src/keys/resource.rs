//! What is cached: the product says.

use std::fmt::{Display, Write};

/// What a product caches, one kind of key a variant. Its `Display` is the name within its owner, and [`Resource::parse`]
/// reads that name again: the outbox keeps names.
///
/// ```
/// use std::fmt;
///
/// #[derive(Clone, Debug, PartialEq)]
/// enum Document {
///     Page(u32),
///     Index,
/// }
///
/// impl fmt::Display for Document {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         match self {
///             Self::Page(number) => write!(f, "page:{number}"),
///             Self::Index => f.write_str("index"),
///         }
///     }
/// }
///
/// impl cache::Resource for Document {
///     fn parse(name: &str) -> Option<Self> {
///         match name.strip_prefix("page:") {
///             Some(number) => number.parse().ok().map(Self::Page),
///             None => (name == "index").then_some(Self::Index),
///         }
///     }
///
///     fn is_list(&self) -> bool {
///         *self == Self::Index
///     }
/// }
///
/// use cache::{CacheKey, Namespace, Owner};
///
/// let (namespace, owner) = (Namespace::parse("docs_").unwrap(), Owner::parse("ada").unwrap());
/// let key = CacheKey::new(&namespace, &owner, &Document::Page(7));
/// assert_eq!(key.as_str(), "docs_ada:page:7");
/// assert_eq!(CacheKey::parse(&namespace, key.as_str()), Some((owner, Document::Page(7))));
/// ```
pub trait Resource: Display + Sized {
    /// Reads a name that `Display` made; `None` for any other text.
    fn parse(name: &str) -> Option<Self>;

    /// Appends its name, as `Display` writes it. Each hit makes a key: a product whose names are cheap to write by hand does so.
    fn push_name(&self, text: &mut String) {
        // A text that grows takes all that is written to it.
        let _ = write!(text, "{self}");
    }

    /// Whether its key holds a hash with a field for each page, so that one delete removes them all; otherwise one value.
    fn is_list(&self) -> bool;

    /// Whether an entry of it may carry this note beside its body; without notes it must be empty. Another entry is damaged.
    fn note_check(&self) -> fn(&[u8]) -> bool {
        <[u8]>::is_empty
    }
}
