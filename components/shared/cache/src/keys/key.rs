//! Cache keys. There is no other way to make one than from a validated owner and a typed resource.

use super::{Owner, Resource};

/// Room for the name of most resources, in bytes: two words and an id of 36.
const USUAL_RESOURCE_BYTES: usize = 64;

/// What every key of a deployment begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// 1 to 64 characters of `A-Z a-z 0-9 _ - .`: no `:` and no `~`, which separate the parts of a key, and no character
    /// that means something to a pattern.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        ((1..=64).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of one resource of one owner: `{namespace}{owner}:{resource}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    text: String,
    is_list: bool,
}

impl CacheKey {
    /// Builds the key.
    pub fn new(namespace: &Namespace, owner: &Owner, resource: &impl Resource) -> Self {
        // Each hit makes one: by hand it is a third of what `format!` takes.
        let mut text =
            String::with_capacity(namespace.as_str().len() + owner.as_str().len() + 1 + USUAL_RESOURCE_BYTES);
        text.push_str(namespace.as_str());
        text.push_str(owner.as_str());
        text.push(':');
        resource.push_name(&mut text);
        Self { text, is_list: resource.is_list() }
    }

    /// The owner and the resource of a key of Redis; `None` for any other key.
    pub fn parse<R: Resource>(namespace: &Namespace, key: &str) -> Option<(Owner, R)> {
        let (owner, name) = key.strip_prefix(namespace.as_str())?.split_once(':')?;
        let (owner, resource) = (Owner::parse(owner)?, R::parse(name)?);
        // Another spelling of an id would be another key.
        (Self::new(namespace, &owner, &resource).as_str() == key).then_some((owner, resource))
    }

    /// The key of the value.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The key of its lock and fences.
    pub fn lock(&self) -> String {
        format!("lock:{}", self.text)
    }

    /// Whether the value is a hash of pages.
    pub fn is_list(&self) -> bool {
        self.is_list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Named, namespace, owner};

    #[test]
    fn a_key_names_owner_and_resource_and_is_read_back() {
        let namespace = namespace("R_");
        for (name, is_list) in [("item:7", false), ("item:list", true), ("a:b:list", true)] {
            let (owner, resource) = (owner("landlord-1"), Named(name.to_owned()));
            let key = CacheKey::new(&namespace, &owner, &resource);
            assert_eq!((key.as_str(), key.is_list()), (&*format!("R_landlord-1:{name}"), is_list));
            assert_eq!(key.lock(), format!("lock:R_landlord-1:{name}"));
            assert_eq!(CacheKey::parse(&namespace, key.as_str()), Some((owner, resource)));
            assert_eq!(CacheKey::parse::<Named>(&namespace, &key.lock()), None);
        }
        for other in ["", "R_", "R_a", "Q_a:item:list", "R_~a:item:list", "R_:item:list", "R_a:", "R_a:no name"] {
            assert_eq!(CacheKey::parse::<Named>(&namespace, other), None, "{other}");
        }
    }

    #[test]
    fn a_namespace_has_no_separators_and_no_pattern_characters() {
        for bad in ["", "a:b", "a~", "a*", "a?", "a[", "a b", "a\\"] {
            assert_eq!(Namespace::parse(bad), None, "{bad}");
        }
    }
}
