//! A cache that may be used.

use crate::instance::Instance;
use crate::redis::Connection;
use crate::region::read::Server;
use cache::breaker::Record;
use cache::region::{LogLease, Near, stamp};
use cache::{Registered, Script};
use std::rc::Rc;

/// A cache that may be used, as it was when the request looked.
pub struct Usable {
    /// The record that admits it.
    pub record: Rc<Record>,
    /// A connection to the Redis that the record trusts.
    pub connection: Rc<Connection>,
    /// Where the region has a lease on the log.
    pub lease: Option<Rc<LogLease>>,
}

impl Usable {
    /// What entries carry as their epoch.
    pub fn stamp(&self) -> u64 {
        let epoch = self.record.epoch;
        self.lease.as_ref().map_or(epoch, |lease| stamp(epoch, lease.worked_off.generation))
    }

    /// Which server a leader may read that was told this by `lookup.lua`.
    pub fn server(&self, demand: Option<u64>) -> Server {
        match (&self.lease, demand) {
            (Some(lease), Some(lsn)) => {
                let near = Near { generation: lease.worked_off.generation, lsn };
                Server::Near { timeline: lease.worked_off.timeline(), near }
            }
            _ => Server::Primary,
        }
    }

    /// `lookup`, which also asks how far a standby must be, in a region.
    pub fn with_demand(&self, instance: &Instance, lookup: Script) -> Script {
        match &self.lease {
            None => lookup,
            Some(lease) => {
                let registered = Registered { epoch: lease.epoch, generation: lease.worked_off.generation };
                lookup.with_demand(&instance.config.namespace, registered)
            }
        }
    }
}
