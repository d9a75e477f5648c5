//! Free loopback ports.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};

/// Where servers listen. Below the range from which the kernel takes ports for outgoing connections (32768 and up), so that a server
/// that is killed and restarted on its port does not find a client's connection there.
pub const PORTS: RangeInclusive<u16> = 20_000..=31_999;

/// How often a server is started again on another port when someone else was quicker to take the one we found.
pub(crate) const ATTEMPTS: usize = 5;

/// What this process was given. A server that was stopped comes back on its port, which is nobody else's meanwhile.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port on which nothing listens now, and which this function has not given to this process before. Another process may take it before
/// the caller does: try again then.
pub fn free_port() -> Result<u16> {
    let (first, last) = (*PORTS.start(), *PORTS.end());
    for _ in 0..100 {
        let port = first + u16::try_from(getrandom::u32()? % u32::from(last - first + 1))?;
        let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if is_free && GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return Ok(port);
        }
    }
    bail!("no free port was found between {first} and {last} on 127.0.0.1")
}
