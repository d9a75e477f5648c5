//! Names of entries: namespace, owner and resource make a key; a key and a page make a slot.

mod key;
mod owner;
mod pattern;
mod resource;
mod slot;

pub use key::{CacheKey, Namespace};
pub use owner::Owner;
pub use pattern::{KeyPattern, prefix};
pub use resource::Resource;
pub use slot::Slot;
