//! Every suite, and the runs that it takes part in.

use libtest_mimic::{Completion, Trial};

use crate::support::{durations, protocol};
use crate::{api, auth, cache, operations, platform};
use ByRest::{LeftOut, Runs};
use Set::{Core, Servers};

/// The trials of a suite: their names and functions.
pub type Trials = &'static [(&'static str, fn())];

struct Suite {
    name: &'static str,
    trials: Trials,
    by_rest: ByRest,
    sets: &'static [Set],
}

/// Whether the run by the REST protocol of Upstash (`RENTTRACKER_REDIS=upstash`) has this suite.
enum ByRest {
    /// It has: this is otherwise by REST.
    Runs(&'static str),
    /// It has not, for this reason. Its trials are told as ignored there.
    LeftOut(&'static str),
}

/// What `RENTTRACKER_SUITES` may name in place of suites.
#[derive(Clone, Copy, PartialEq)]
enum Set {
    /// `core`: what `cargo xtask test --quick` runs. A change of any walk through the components fails something here.
    Core,
    /// `servers`: what `cargo xtask test --matrix` runs over other versions of Redis and PostgreSQL. Left out is what the servers
    /// have no part in (tokens, CORS, limits on input, the manifest), what needs another server again (REST, and TLS, which
    /// the servers of those packages are built without), and what counts for one version alone (costs).
    Servers,
}

impl Set {
    fn named(name: &str) -> Option<Set> {
        match name {
            "core" => Some(Core),
            "servers" => Some(Servers),
            _ => None,
        }
    }
}

/// A row of [`SUITES`].
macro_rules! suite {
    ($folder:ident::$name:ident, $by_rest:expr, $sets:expr) => {
        Suite { name: stringify!($name), trials: $folder::$name::TRIALS, by_rest: $by_rest, sets: $sets }
    };
}

const HTTP_ALONE: ByRest = LeftOut("what is asked and answered over HTTP; Redis has no part in it");
const POSTGRES_ALONE: ByRest = LeftOut("statements, and what PostgreSQL answers; Redis has no part in it");
const CACHED_ALIKE: ByRest = LeftOut(
    "what answers look like, cached ones too; how an entry is read and stored is in `cached_reads` and `verify`",
);
const TOKENS_ALONE: ByRest = LeftOut("tokens and their keys; Redis has no part in it");
const FILES_ALONE: ByRest = LeftOut("files of the repository and of the build; nothing runs");

/// In the order in which they start: first those whose trials take longest, so that none of them runs alone at the end.
const SUITES: &[Suite] = &[
    suite!(platform::query_plans, POSTGRES_ALONE, &[Servers]),
    suite!(cache::outage, Runs("a request fails otherwise than a connection"), &[Core, Servers]),
    suite!(cache::lingering_statements, Runs("a write without a fence, and fences that run out"), &[]),
    suite!(cache::load, Runs("each command is a request: connections, deadlines and failures under load"), &[]),
    suite!(cache::key_value, Runs("who may use Redis while the votes cannot be read"), &[]),
    suite!(api::bodies, HTTP_ALONE, &[]),
    suite!(api::client, HTTP_ALONE, &[]),
    suite!(api::concurrency, Runs("writers at once, each with scripts of its own"), &[Core, Servers]),
    suite!(api::conditions, CACHED_ALIKE, &[Core]),
    suite!(api::cors, CACHED_ALIKE, &[]),
    suite!(api::extremes, CACHED_ALIKE, &[]),
    suite!(api::headers, HTTP_ALONE, &[]),
    suite!(api::http, CACHED_ALIKE, &[Core, Servers]),
    suite!(api::idempotency, Runs("Redis stops answering in the middle of a write"), &[Core, Servers]),
    suite!(api::input, HTTP_ALONE, &[Core]),
    suite!(api::lists, POSTGRES_ALONE, &[Core, Servers]),
    suite!(api::openapi, HTTP_ALONE, &[]),
    suite!(api::origin, HTTP_ALONE, &[Core]),
    suite!(api::origin_bodies, HTTP_ALONE, &[]),
    suite!(api::origin_client, HTTP_ALONE, &[]),
    suite!(api::pages, HTTP_ALONE, &[Core]),
    suite!(api::payment_methods, POSTGRES_ALONE, &[Core, Servers]),
    suite!(api::payments, CACHED_ALIKE, &[Core, Servers]),
    suite!(api::payments_keyset, CACHED_ALIKE, &[Core, Servers]),
    suite!(api::properties, POSTGRES_ALONE, &[Core, Servers]),
    suite!(api::properties_keyset, CACHED_ALIKE, &[Core, Servers]),
    suite!(api::rate_limit, LeftOut("each instance counts requests for itself; Redis has no part in it"), &[]),
    suite!(api::search, POSTGRES_ALONE, &[Core, Servers]),
    suite!(api::values, CACHED_ALIKE, &[Core]),
    suite!(auth::acl, LeftOut("users.acl is for a Redis of one's own; Upstash has users of its own making"), &[]),
    suite!(auth::database_role, POSTGRES_ALONE, &[Servers]),
    suite!(auth::jwks, TOKENS_ALONE, &[]),
    suite!(auth::row_level_security, POSTGRES_ALONE, &[Core, Servers]),
    suite!(auth::session, HTTP_ALONE, &[]),
    suite!(auth::tenancy, Runs("entries that were tampered with are read in another encoding"), &[Core, Servers]),
    suite!(auth::tenant_spoofing, TOKENS_ALONE, &[]),
    suite!(auth::tokens, TOKENS_ALONE, &[Core]),
    suite!(platform::restored_database, Runs("entries and epochs after PostgreSQL went back"), &[]),
    suite!(cache::breaker, Runs("what counts as a failure, and the probe"), &[Servers]),
    suite!(
        cache::breaker_in_the_database,
        LeftOut("where the record is; Redis has no part in that, and `breaker` runs"),
        &[Servers]
    ),
    suite!(cache::cached_reads, Runs("lookups and fills are requests"), &[Core, Servers]),
    suite!(
        cache::costs,
        LeftOut("the baseline counts commands and calls of a connection; requests are counted in `rest`"),
        &[]
    ),
    suite!(cache::full_disk, Runs("a refusal comes in a body with a status"), &[]),
    suite!(cache::invalidation, Runs("fences and removals are requests"), &[Core, Servers]),
    suite!(cache::locks, Runs("locks are taken and freed by requests that may be answered late"), &[]),
    suite!(cache::maxmemory, Runs("a refusal comes in a body with a status"), &[Servers]),
    suite!(cache::other_writers, LeftOut("rows of the outbox; how they are drained is in `outbox`"), &[Servers]),
    suite!(cache::outbox, Runs("what was left behind goes in batches"), &[Core, Servers]),
    suite!(cache::purge, Runs("SCAN and its removals are requests"), &[Servers]),
    suite!(cache::read_lease, Runs("the note of leases, and a fence that is answered with it, are requests"), &[Core]),
    suite!(
        cache::redis_cluster,
        LeftOut("a database of Upstash takes keys of any slot in a script, and answers no MOVED"),
        &[]
    ),
    suite!(cache::refusals, Runs("a refusal comes in a body with a status"), &[]),
    suite!(
        cache::regions,
        LeftOut("each region has a Redis of its own; what a region asks of it are scripts, as `outbox` has"),
        &[]
    ),
    suite!(cache::rest, Runs("it is about nothing else"), &[]),
    suite!(cache::sealing, Runs("sealed bytes are sent in another encoding"), &[Core, Servers]),
    suite!(cache::split_brain, Runs("a database is known by a marker and not by the run of its server"), &[Servers]),
    suite!(
        cache::unsuitable_redis,
        LeftOut("a database of Upstash is led by Upstash, and has no INFO that says how"),
        &[]
    ),
    suite!(cache::verify, Runs("entries are read as a reader would read them"), &[Servers]),
    suite!(cache::warm, Runs("entries are stored as a reader would store them"), &[Servers]),
    suite!(operations::breaker_orders, Runs("what Redis is sent while the breaker is forced open or closed"), &[]),
    suite!(operations::configuration, LeftOut("variables are read before anything is asked of Redis"), &[]),
    suite!(operations::health, Runs("the trial of Redis is a request"), &[Core, Servers]),
    suite!(operations::metrics, Runs("failures and deadlines of requests are counted"), &[]),
    suite!(operations::migrations, POSTGRES_ALONE, &[]),
    suite!(operations::observability, LeftOut("names of metrics in the dashboard and in the alerts"), &[]),
    suite!(
        operations::spans,
        LeftOut("calls of the host's own interfaces; by REST a command is a request as any other"),
        &[]
    ),
    suite!(operations::trace, HTTP_ALONE, &[]),
    suite!(
        operations::webhook,
        LeftOut("what is sent to the webhook; the breaker's changes are those of `breaker`"),
        &[]
    ),
    suite!(platform::components, FILES_ALONE, &[Core]),
    suite!(platform::front, HTTP_ALONE, &[]),
    suite!(platform::grants, FILES_ALONE, &[Core]),
    suite!(platform::harness, LeftOut("it tries the tests' own tools"), &[]),
    suite!(platform::postgres_errors, POSTGRES_ALONE, &[]),
    suite!(platform::read_only_postgres, POSTGRES_ALONE, &[]),
    suite!(platform::spin_versions, FILES_ALONE, &[]),
    suite!(
        platform::tls,
        LeftOut("TLS of a connection, and the users of Redis; by REST it is the platform's HTTPS"),
        &[]
    ),
];

/// Trials of suites that run by REST, but that have no meaning there, by the beginning of their names, and why.
const TRIALS_LEFT_OUT_BY_REST: &[(&str, &str)] = &[
    (
        "locks::a_lookup_that_is_answered_late_leaves_no_lock",
        "by REST the first look is a script too, so that none is late alone; the claim on a lock is the same code",
    ),
    ("locks::a_warming_that_is_answered_late_leaves_no_lock", "as above"),
    (
        "locks::a_leader_whose_connection_breaks_leaves_no_lock",
        "the double connects for each request, so that there is none to break off",
    ),
    (
        "split_brain::a_replica_is_not_used",
        "Upstash says of no server what its role is; rest:: shows that none is read from",
    ),
    (
        "split_brain::a_master_that_was_a_replica_gets_a_new_epoch",
        "Upstash says of no server that it took another's place: infra/deploy/README.md has what that costs",
    ),
    (
        "split_brain::a_promotion_without_a_trace_in_redis_gets_a_new_epoch",
        "Upstash says of no server that it took another's place: infra/deploy/README.md has what that costs",
    ),
];

/// Trials that say nothing of a Redis in cluster mode (`cargo xtask test --redis cluster`), by the beginning of their names, and why.
const TRIALS_LEFT_OUT_IN_CLUSTER_MODE: &[(&str, &str)] = &[
    ("acl::", "it tries keys of every form, which are in several slots; the rights are those of a file"),
    (
        "costs::",
        "the baseline is that of a Redis without cluster mode: there a new connection asks for the slot as well",
    ),
    ("spans::requests_at_once_each_have_their_own_calls", "as above"),
    ("read_lease::a_hot_key_costs_no_command", "as above"),
    ("split_brain::a_", "cluster mode has no REPLICAOF"),
    ("unsuitable_redis::a_replica", "cluster mode has no REPLICAOF"),
    ("refusals::health_tells_of_a_redis_that_became_a_replica", "cluster mode has no REPLICAOF"),
    (
        "refusals::health_tells_of_a_redis_that_is_loading",
        "in cluster mode it says CLUSTERDOWN meanwhile, and is unfit",
    ),
    ("unsuitable_redis::redis_in_cluster_mode", "it makes a cluster of a server that is none"),
    ("redis_cluster::hosts_with_and_without", "half of its hosts use keys without a hash tag"),
];

/// The trials of a run: of all suites, or of `wanted`, which is a set or suites separated by commas.
pub fn trials(wanted: Option<&str>) -> Vec<Trial> {
    for name in wanted.into_iter().flat_map(|wanted| wanted.split(',')) {
        assert!(SUITES.iter().any(|suite| suite.is_in(name)), "there is no suite and no set {name:?}");
    }
    let named: Vec<String> = SUITES.iter().flat_map(Suite::names).collect();
    for (name, _) in TRIALS_LEFT_OUT_BY_REST.iter().chain(TRIALS_LEFT_OUT_IN_CLUSTER_MODE) {
        assert!(named.iter().any(|trial| trial.starts_with(name)), "no trial is called {name}");
    }
    let suites =
        SUITES.iter().filter(|suite| wanted.is_none_or(|wanted| wanted.split(',').any(|name| suite.is_in(name))));
    suites.flat_map(Suite::trials).collect()
}

/// Prints which suites a run by REST has, which it has not, and why.
pub fn print_by_rest() {
    println!("by the REST protocol of Upstash:");
    for Suite { name, by_rest, .. } in SUITES {
        match by_rest {
            Runs(reason) => println!("  {name} runs: {reason}"),
            LeftOut(reason) => println!("  {name} is left out: {reason}"),
        }
    }
}

impl Suite {
    /// Whether `name` is its own, or that of a set which it is in.
    fn is_in(&self, name: &str) -> bool {
        name == self.name || Set::named(name).is_some_and(|set| self.sets.contains(&set))
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.trials.iter().map(|(trial, _)| format!("{}::{trial}", self.name))
    }

    fn trials(&self) -> impl Iterator<Item = Trial> {
        self.names().zip(self.trials).map(|(name, (_, run))| {
            let by_rest = protocol::is_rest().then(|| self.left_out_by_rest(&name)).flatten();
            let in_cluster_mode =
                || protocol::is_cluster().then(|| reason(TRIALS_LEFT_OUT_IN_CLUSTER_MODE, &name)).flatten();
            let left_out = by_rest.or_else(in_cluster_mode);
            Trial::ignorable_test(name.clone(), move || {
                if let Some(reason) = left_out {
                    return Ok(Completion::ignored_with(reason));
                }
                durations::of_trial(&name, *run);
                Ok(Completion::Completed)
            })
        })
    }

    fn left_out_by_rest(&self, trial: &str) -> Option<&'static str> {
        match self.by_rest {
            LeftOut(reason) => Some(reason),
            Runs(_) => reason(TRIALS_LEFT_OUT_BY_REST, trial),
        }
    }
}

/// Why a table leaves a trial out.
fn reason(table: &[(&str, &'static str)], trial: &str) -> Option<&'static str> {
    table.iter().find(|(name, _)| trial.starts_with(name)).map(|(_, reason)| *reason)
}
