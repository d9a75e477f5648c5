//! The same GETs when nothing is cached, and past the cache.

use std::sync::Arc;

use anyhow::Result;

use super::throughput::Shared;
use super::{Size, in_turn};
use crate::load::{Ask, Kind, Limit, Next};
use crate::measure::{Subject, alternate};
use crate::report::{Report, Section};
use crate::seed;
use crate::stage::Stage;

const CLIENTS: usize = 16;
/// The orders that a list can be asked for in: each is a page of its own.
const FIELDS: [&str; 6] = ["address", "suburb", "state", "weeklyRentAmount", "leaseStartDate", "leaseEndDate"];
/// The properties of each tenant: a page of fifty and a few more.
const EACH: usize = 60;

/// Measures. Every request of a round has a row or a page of its own, and what a round has cached is forgotten before the
/// next.
pub fn measure(stage: &Stage, shared: &Shared, size: &Size, report: &mut Report) -> Result<()> {
    let tenants = size.requests.div_ceil(EACH);
    let mut client = shared.api.sql()?;
    seed::properties(&mut client, "cold-", i64::try_from(tenants)?, i64::try_from(tenants * EACH)?, 500)?;
    seed::settle(&mut client)?;
    let (mut singles, mut pages): (Vec<Ask>, Vec<Ask>) = (Vec::new(), Vec::new());
    for tenant in (0..tenants).map(|number| format!("cold-{number}")) {
        for id in seed::ids(&mut client, &tenant)? {
            singles.push(stage.get(&tenant, &format!("/api/properties/{id}"))?);
        }
        for order in FIELDS.iter().flat_map(|field| ["false", "true"].map(|descending| (field, descending))) {
            let (field, descending) = order;
            let target = format!("/api/properties?pageSize=50&sortField={field}&sortDescending={descending}");
            pages.push(stage.get(&tenant, &target)?);
        }
    }
    let subject = |name: &str, asks: &[Ask], is_cached: bool| -> Result<Subject> {
        let api = if is_cached { &shared.api } else { &shared.uncached };
        let (cache, instance) = (stage.cache()?, api.instance.clone());
        let requests = asks.len().min(size.requests);
        let next: Next = if is_cached {
            let asks = asks.to_vec();
            Arc::new(move |_, turn| asks[turn.min(asks.len() - 1)].clone())
        } else {
            in_turn(asks.to_vec())
        };
        Ok(Subject {
            prepare: is_cached
                .then(|| -> Box<dyn Fn() -> Result<()>> { Box::new(move || cache.forget(&instance, "cold-")) }),
            must_be: Some(if is_cached { Kind::Miss } else { Kind::Bypass }),
            ..Subject::new(name, (api.address()?, api.host.pid()), CLIENTS, Limit::Requests(requests), next)
        })
    };
    let series = alternate(
        size.rounds,
        vec![
            subject("property, a miss", &singles, true)?,
            subject("page of 50, a miss", &pages, true)?,
            subject("property without a cache", &singles, false)?,
            subject("page of 50 without a cache", &pages, false)?,
        ],
    );
    report.section(Section::of_series("Misses and reads past the cache, sixteen clients", &series?));
    Ok(())
}
