//! Limits that several interfaces share. Spin's numbers.

/// How many connections one instance may hold open at once, of each kind.
pub const MAX_CONNECTIONS: usize = 1024;

/// The largest result that the host holds in memory for a component, of any kind.
pub const MAX_BUFFERED_BYTES: usize = 128 << 20;
