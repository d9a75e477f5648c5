//! How many requests a tenant may send: a token bucket each.

use crate::domain::TenantId;
use std::collections::HashMap;
use std::time::Duration;

/// How many buckets an instance keeps: some 150 bytes each. A bucket that is full again is as good as none.
const MAX_BUCKETS: usize = 1024;

/// What every tenant may send to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How long a bucket takes to gain one request.
    interval: Duration,
    /// How long an empty bucket takes to be full.
    fill: Duration,
}

impl RateLimit {
    /// So many requests a second on average, and so many at once. `None` for no limit: 0 a second.
    pub fn new(requests_per_second: u32, burst: u32) -> Option<Self> {
        let interval = Duration::from_secs(1).checked_div(requests_per_second)?;
        Some(Self { interval, fill: interval * burst.max(1) })
    }
}

/// The buckets of an instance. Each is kept as the one number that tells how full it is at any time, the moment when it
/// will be full (the virtual scheduling form of the generic cell rate algorithm, ITU-T I.371). Times are those of the
/// instance's monotonic clock.
#[derive(Default)]
pub struct Buckets {
    full_at: HashMap<TenantId, Duration>,
}

impl Buckets {
    /// Takes one request out of the tenant's bucket at `now`.
    ///
    /// # Errors
    /// When it is empty: after how long it will hold one. Nothing is taken then.
    pub fn take(&mut self, tenant: &TenantId, limit: RateLimit, now: Duration) -> Result<(), Duration> {
        let full_at = self.full_at.get(tenant).copied().unwrap_or_default().max(now) + limit.interval;
        if let Some(wait) = full_at.checked_sub(now + limit.fill).filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        match self.full_at.get_mut(tenant) {
            Some(known) => *known = full_at,
            None => {
                self.make_room(now);
                self.full_at.insert(tenant.clone(), full_at);
            }
        }
        Ok(())
    }

    /// Forgets the buckets that are full, and if none is, the one that is fullest.
    fn make_room(&mut self, now: Duration) {
        if self.full_at.len() < MAX_BUCKETS {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() < MAX_BUCKETS {
            return;
        }
        let fullest = self.full_at.iter().min_by_key(|(_, full_at)| **full_at).map(|(tenant, _)| tenant.clone());
        if let Some(tenant) = fullest {
            self.full_at.remove(&tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tenant(number: usize) -> TenantId {
        TenantId::parse(&format!("t-{number}")).expect("an id")
    }

    fn limit(per_second: u32, burst: u32) -> RateLimit {
        RateLimit::new(per_second, burst).expect("a limit")
    }

    #[test]
    fn none_a_second_is_no_limit() {
        assert_eq!(RateLimit::new(0, 5), None);
    }

    #[test]
    fn a_burst_is_let_through_and_then_one_an_interval() {
        let (mut buckets, limit, start) = (Buckets::default(), limit(4, 3), Duration::from_secs(1_000));
        for _ in 0..3 {
            assert_eq!(buckets.take(&tenant(0), limit, start), Ok(()));
        }
        let wait = Duration::from_millis(250);
        assert_eq!(buckets.take(&tenant(0), limit, start), Err(wait));
        assert_eq!(buckets.take(&tenant(0), limit, start + wait / 5), Err(wait * 4 / 5));
        assert_eq!(buckets.take(&tenant(0), limit, start + wait), Ok(()));
        assert!(buckets.take(&tenant(0), limit, start + wait).is_err());
    }

    #[test]
    fn buckets_are_bounded_and_the_emptiest_are_kept() {
        let (mut buckets, limit, now) = (Buckets::default(), limit(1, 2), Duration::from_secs(9));
        for _ in 0..2 {
            buckets.take(&tenant(0), limit, now).expect("the burst");
        }
        for number in 1..3 * MAX_BUCKETS {
            buckets.take(&tenant(number), limit, now).expect("another tenant");
        }
        assert_eq!(buckets.full_at.len(), MAX_BUCKETS);
        assert!(buckets.take(&tenant(0), limit, now).is_err(), "the empty bucket was forgotten for a fuller one");
        let later = now + Duration::from_secs(5);
        buckets.take(&tenant(9_999), limit, later).expect("another tenant");
        assert_eq!(buckets.full_at.len(), 1, "buckets that are full again were kept");
    }

    proptest! {
        /// Whenever requests come, no span of time sees more of them let through than its limit and the burst, a wait that
        /// was told is enough, and what was refused costs nothing.
        #[test]
        fn no_span_of_time_sees_more_than_its_budget(
            per_second in 1_u32..50,
            burst in 1_u32..20,
            gaps in proptest::collection::vec(0_u64..400, 1..200),
        ) {
            let (mut buckets, limit) = (Buckets::default(), limit(per_second, burst));
            let (mut now, mut let_through): (_, Vec<Duration>) = (Duration::from_secs(1), Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                match buckets.take(&tenant(0), limit, now) {
                    Ok(()) => let_through.push(now),
                    Err(wait) => {
                        let mut refused = Buckets { full_at: buckets.full_at.clone() };
                        prop_assert!(refused.take(&tenant(0), limit, now + wait - Duration::from_nanos(1)).is_err());
                        prop_assert_eq!(refused.take(&tenant(0), limit, now + wait), Ok(()));
                    }
                }
            }
            for (first, from) in let_through.iter().enumerate() {
                for (last, to) in let_through.iter().enumerate().skip(first) {
                    let count = u32::try_from(last - first + 1).expect("few");
                    prop_assert!(limit.interval * count <= limit.fill + (*to - *from));
                }
            }
        }

        /// What others send changes nothing for a tenant.
        #[test]
        fn a_tenant_is_refused_for_its_own_requests_only(
            requests in proptest::collection::vec((0_usize..4, 0_u64..300), 1..200),
        ) {
            let limit = limit(5, 3);
            let (mut together, mut alone) = (Buckets::default(), Buckets::default());
            let mut now = Duration::ZERO;
            for (number, gap) in requests {
                now += Duration::from_millis(gap);
                let answer = together.take(&tenant(number), limit, now);
                if number == 0 {
                    prop_assert_eq!(answer, alone.take(&tenant(0), limit, now));
                }
            }
        }
    }
}
