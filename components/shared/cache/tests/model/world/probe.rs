//! What the probe does, step by step.

use super::state::{BreakerState, ProbeAt};
use super::{RESET, Switch, WRITERS, World};
use cache::breaker::Event;

impl World {
    pub(super) fn probe(&mut self, off: Option<Switch>) -> Option<()> {
        let here = |world: &Self, run| world.redis.up && world.redis.run == run;
        self.probe = match self.probe {
            ProbeAt::Idle => {
                if self.breaker.state != BreakerState::Open {
                    return None;
                }
                self.report(Event::ProbeOffered { token: "probe" });
                ProbeAt::Offered
            }
            ProbeAt::Offered if self.redis.up => {
                let run = self.redis.run;
                self.report_redis();
                if self.breaker.run != run && off != Some(Switch::ProbeWait) {
                    self.await_leases(WRITERS, off);
                    ProbeAt::Waiting { run }
                } else {
                    self.connected(run, off)
                }
            }
            ProbeAt::Waiting { .. } if self.is_awaiting(WRITERS) => return None,
            ProbeAt::Waiting { run } => self.connected(run, off),
            ProbeAt::Awaiting { writes, .. } if self.in_progress() & writes != 0 => return None,
            ProbeAt::Awaiting { run, .. } => Self::drained(run, off),
            ProbeAt::Connected { run } if self.outbox == 0 => ProbeAt::Succeeding { run },
            ProbeAt::Connected { run } => ProbeAt::Draining { run, rows: self.outbox },
            ProbeAt::Draining { run, rows } if here(self, run) => {
                self.invalidate(WRITERS, off);
                ProbeAt::Drained { run, rows }
            }
            ProbeAt::Offered | ProbeAt::Draining { .. } => {
                self.report(Event::ProbeFailed { token: "probe", longest: RESET, unfit: None });
                ProbeAt::Idle
            }
            ProbeAt::Drained { run, rows } => {
                self.outbox &= !rows;
                ProbeAt::Connected { run }
            }
            ProbeAt::Succeeding { run } => {
                let epoch = self.breaker.epoch;
                self.report(Event::ProbeSucceeded { token: "probe", run_id: &run.to_string() });
                if off == Some(Switch::Epoch) {
                    self.breaker.epoch = epoch;
                }
                ProbeAt::Idle
            }
        };
        Some(())
    }

    fn connected(&self, run: u8, off: Option<Switch>) -> ProbeAt {
        match self.in_progress() {
            writes if writes != 0 && off != Some(Switch::WritesAwaited) => ProbeAt::Awaiting { run, writes },
            _ => Self::drained(run, off),
        }
    }

    fn drained(run: u8, off: Option<Switch>) -> ProbeAt {
        if off == Some(Switch::Drain) { ProbeAt::Succeeding { run } } else { ProbeAt::Connected { run } }
    }
}
