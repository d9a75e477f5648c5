//! How long one read waits for Redis.

use crate::instance::Instance;
use crate::time::clock;
use std::cell::Cell;
use std::time::Duration;

/// How long a request still waits for Redis: one deadline in all, that of a connection if it has to open one, and one more for
/// each look while another reader fills the value. A Redis that is slow every time is otherwise no worse than one that is dead.
pub struct TimeBudget {
    deadline: Duration,
    left: Cell<Duration>,
}

impl TimeBudget {
    /// The budget of a request that begins.
    pub fn new(instance: &Instance) -> Self {
        let whole = if instance.redis.current().is_some() {
            instance.config.redis_timeout
        } else {
            instance.config.redis_connect_timeout
        };
        Self { deadline: instance.config.redis_timeout, left: Cell::new(whole) }
    }

    /// What `work` answers, given how long it may take; what it took is gone.
    pub async fn spend<T, F: Future<Output = T>>(&self, work: impl FnOnce(Duration) -> F) -> T {
        let began = clock::elapsed();
        let answer = work(self.left.get().min(self.deadline)).await;
        self.left.set(self.left.get().saturating_sub(clock::elapsed().saturating_sub(began)));
        answer
    }

    /// Redis has answered that another reader is filling the value: waiting for that one is not waiting for Redis.
    pub fn renew(&self) {
        self.left.set(self.deadline);
    }

    /// Whether there is enough left for one look more that a well Redis cannot miss.
    pub fn is_long(&self) -> bool {
        self.left.get() >= self.deadline / 2
    }
}
