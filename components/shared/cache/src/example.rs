//! A product for the unit tests: a resource is its own name, and a list when that ends in `list`.

use crate::{CacheKey, Namespace, Owner, Resource};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named(pub String);

impl Resource for Named {
    fn parse(name: &str) -> Option<Self> {
        (!name.is_empty() && !name.contains(' ')).then(|| Self(name.to_owned()))
    }

    fn is_list(&self) -> bool {
        self.0.ends_with("list")
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub fn namespace(text: &str) -> Namespace {
    Namespace::parse(text).expect("a namespace")
}

pub fn owner(text: &str) -> Owner {
    Owner::parse(text).expect("an owner")
}

/// The key `R_a:{name}`.
pub fn key(name: &str) -> CacheKey {
    CacheKey::new(&namespace("R_"), &owner("a"), &Named(name.to_owned()))
}
