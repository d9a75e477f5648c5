//! Cache keys. There is no other way to make one than from a validated owner and a typed resource.

use super::{Owner, Resource};

/// Room for the name of most resources, in bytes: two words and an id of 36.
const USUAL_RESOURCE_BYTES: usize = 64;

/// A deployment's name, and what each of its keys in Redis begins with: the name, or the name as a hash tag.
///
/// In cluster mode Redis hashes of a key only what stands between its first braces (Redis Cluster Specification, hash tags). So all
/// keys of a deployment lie in one slot, and any of its scripts may name any of them.
///
/// ```
/// use cache::Namespace;
///
/// let notes = Namespace::parse("notes_").unwrap();
/// assert_eq!((notes.name(), notes.prefix()), ("notes_", "notes_"));
/// let tagged = notes.with_hash_tag();
/// assert_eq!((tagged.name(), tagged.prefix()), ("notes_", "{notes_}"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    prefix: String,
    has_hash_tag: bool,
}

impl Namespace {
    /// 1 to 64 characters of `A-Z a-z 0-9 _ - .`: no `:` and no `~`, which separate the parts of a key, and no character
    /// that means something to a pattern.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let valid = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
        valid.then(|| Self { prefix: text.to_owned(), has_hash_tag: false })
    }

    /// The same deployment, with its keys in one slot of a Redis in cluster mode.
    #[must_use]
    pub fn with_hash_tag(self) -> Self {
        Self { prefix: format!("{{{}}}", self.name()), has_hash_tag: true }
    }

    /// Whether its keys carry a hash tag.
    pub fn has_hash_tag(&self) -> bool {
        self.has_hash_tag
    }

    /// The name: what it is called outside of Redis, whatever its keys there begin with.
    pub fn name(&self) -> &str {
        self.prefix.trim_matches(['{', '}'])
    }

    /// What each of its keys in Redis begins with; behind `lock:` for locks and fences.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A key of the deployment's own in Redis, which is no owner's: no owner has a `~`.
    pub fn own_key(&self, name: &str) -> String {
        format!("{}~{name}", self.prefix)
    }
}

/// The key of one resource of one owner: the namespace's prefix, then `owner:resource`.
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
            String::with_capacity(namespace.prefix().len() + owner.as_str().len() + 1 + USUAL_RESOURCE_BYTES);
        text.push_str(namespace.prefix());
        text.push_str(owner.as_str());
        text.push(':');
        resource.push_name(&mut text);
        Self { text, is_list: resource.is_list() }
    }

    /// The owner and the resource of a key of Redis; `None` for any other key.
    pub fn parse<R: Resource>(namespace: &Namespace, key: &str) -> Option<(Owner, R)> {
        let (owner, name) = key.strip_prefix(namespace.prefix())?.split_once(':')?;
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
    fn with_a_hash_tag_every_key_of_a_deployment_hashes_alike_and_no_key_is_one_without() {
        let (plain, tagged) = (namespace("R_"), namespace("R_").with_hash_tag());
        let resource = Named("item:list".to_owned());
        let key = CacheKey::new(&tagged, &owner("a"), &resource);
        let hashed = |key: &str| key.split_once('{')?.1.split_once('}').map(|(tag, _)| tag.to_owned());
        for name in [key.as_str(), &key.lock(), &tagged.own_key("leases")] {
            assert_eq!(hashed(name).as_deref(), Some("R_"), "{name}");
        }
        assert_eq!(CacheKey::parse(&tagged, key.as_str()), Some((owner("a"), resource)));
        assert_eq!(CacheKey::parse::<Named>(&plain, key.as_str()), None);
        assert_eq!(CacheKey::parse::<Named>(&tagged, "R_a:item:list"), None);
        assert_eq!((tagged.name(), plain.name()), ("R_", "R_"));
    }

    #[test]
    fn a_namespace_has_no_separators_and_no_pattern_characters() {
        for bad in ["", "a:b", "a~", "a*", "a?", "a[", "a b", "a\\"] {
            assert_eq!(Namespace::parse(bad), None, "{bad}");
        }
    }
}
