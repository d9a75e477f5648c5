//! Handles that a component holds: a map with a limit. A missing entry is `None`, never a panic.

use std::collections::HashMap;

/// Values by the number that the component knows them by.
pub struct Table<V> {
    limit: usize,
    next: u32,
    values: HashMap<u32, V>,
}

/// The table holds as many values as it may.
#[derive(Debug, PartialEq)]
pub struct Full;

impl<V> Table<V> {
    /// An empty table for at most `limit` values.
    pub fn new(limit: usize) -> Self {
        Self { limit, next: 0, values: HashMap::new() }
    }

    /// Keeps `value` and returns its number. A number is not used again soon after it was given back.
    pub fn push(&mut self, value: V) -> Result<u32, Full> {
        if self.values.len() >= self.limit {
            return Err(Full);
        }
        while self.values.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let number = self.next;
        self.values.insert(number, value);
        self.next = self.next.wrapping_add(1);
        Ok(number)
    }

    /// The value with this number.
    pub fn get(&self, number: u32) -> Option<&V> {
        self.values.get(&number)
    }

    /// The value with this number, to change.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut V> {
        self.values.get_mut(&number)
    }

    /// Gives the number back.
    pub fn remove(&mut self, number: u32) {
        self.values.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_says_so_until_something_is_given_back() {
        let mut table = Table::new(2);
        let first = table.push("a").unwrap();
        let second = table.push("b").unwrap();
        assert_eq!(table.push("c"), Err(Full));
        table.remove(first);
        let third = table.push("c").unwrap();
        assert_ne!(third, first, "a stale handle must not reach the new value");
        assert_eq!((table.get(first), table.get(second), table.get(third)), (None, Some(&"b"), Some(&"c")));
    }
}
