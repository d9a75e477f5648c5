//! What the suites stand on: a host with the built components, Redis and PostgreSQL, and what asks them.
//!
//! Most tests share one ([`world`]) and are kept apart by tenancy, which is what is being sold. A test that sets other
//! variables or breaks a server has its own ([`Private`]).

mod answer;
pub mod certificates;
pub mod data;
pub mod durations;
mod http;
pub mod issuer;
pub mod leftovers;
pub mod origin_server;
pub mod outages;
mod own_postgres;
mod private;
pub mod protocol;
pub mod record_store;
pub mod secured;
pub mod silent_server;
mod stage;
pub mod statements;
mod status;
pub mod switch;
mod tenant;
pub mod token;

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

pub use answer::{Answer, Cache};
pub use http::{Body, Request, exchange};
pub use own_postgres::{own_postgres, sql_of, url_of};
pub use private::Private;
pub use stage::{Stage, postgres_log, runtime, world, writes_are_chained};

pub use tenant::{NOWHERE, Place, Tenant, payment_path, payments_path, property_path};

/// Long enough for HS256 (RFC 7518 asks for 256 bits), and used nowhere else.
const JWT_SECRET: &str = "a secret of the end-to-end suites, 32 bytes or more";
/// Of the role that the components log in as.
const LOGIN_PASSWORD: &str = "a password of the end-to-end suites";

/// Where things are. Cheap to clone, owns nothing.
#[derive(Clone)]
pub struct World {
    /// `http://127.0.0.1:PORT`
    pub base_url: String,
    /// Where the components think Redis is.
    pub redis_url: String,
    /// The database, as its owner.
    pub database_url: String,
    /// The database, as the components.
    pub login_url: String,
    /// What every key in Redis starts with.
    pub instance: String,
    /// What tokens are signed with.
    pub secret: String,
}

impl World {
    /// A request without a token.
    pub fn request(&self, method: &str, target: &str) -> Request {
        Request::new(&self.base_url, method, target)
    }

    /// GET without a token.
    pub fn get(&self, target: &str) -> Answer {
        self.request("GET", target).send()
    }

    /// A landlord that nobody else knows.
    pub fn tenant(&self) -> Tenant {
        self.tenant_named(&format!("t-{}", uuid::Uuid::new_v4().simple()))
    }

    /// A landlord with this id.
    pub fn tenant_named(&self, id: &str) -> Tenant {
        self.bearer(id, token::sign(&token::claims(id), &self.secret))
    }

    /// Someone with the role of an administrator.
    pub fn administrator(&self) -> Tenant {
        let mut claims = token::claims("operator");
        claims["role"] = "Admin".into();
        self.bearer("operator", token::sign(&claims, &self.secret))
    }

    /// Someone with this token, whatever it says. `id` is the tenant whose data the test looks at directly.
    pub fn bearer(&self, id: &str, token: String) -> Tenant {
        Tenant::new(self.clone(), id, token)
    }

    /// `{instance}{tenant}:{rest}`
    pub fn key(&self, tenant: &Tenant, rest: &str) -> String {
        format!("{}{}:{rest}", self.instance, tenant.id)
    }
}

/// How long [`eventually`] looks: longer than a fence stands (23 s), and than the breaker is open after one probe that a busy machine was
/// too slow for (60 s). Only a trial that fails waits for so long.
const PATIENCE: Duration = Duration::from_secs(90);

/// Calls `look` until it finds something; panics with `what` when it has not for [`PATIENCE`].
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {} s: {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs `job` on `count` threads that start together, and gives what each returned.
pub fn together<T: Send>(count: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = std::sync::Barrier::new(count);
    std::thread::scope(|scope| {
        let spawn = |number| {
            let (barrier, job) = (&barrier, &job);
            scope.spawn(move || {
                barrier.wait();
                job(number)
            })
        };
        let threads: Vec<_> = (0..count).map(spawn).collect();
        // A thread's own words, not that it had some.
        let end = |thread: std::thread::ScopedJoinHandle<'_, T>| thread.join().unwrap_or_else(|it| resume_unwind(it));
        threads.into_iter().map(end).collect()
    })
}

/// What `spin.toml` requires, with deadlines for a machine that is busy compiling: a slow answer must not look like a
/// dead Redis where the test is about something else.
fn patient_variables(redis_url: &str, database_url: &str) -> BTreeMap<String, String> {
    let mut variables = stack::variables(redis_url, database_url, JWT_SECRET);
    for name in ["redis_timeout_ms", "redis_connect_timeout_ms"] {
        variables.insert(name.into(), "2000".into());
    }
    if protocol::is_cluster() {
        variables.insert("redis_hash_tags".into(), "true".into());
    }
    record_store::choose(&mut variables);
    variables
}

/// Lets components log in to a server of the test's own: the URL of the migrated database for them.
pub fn ensure_login(database_url: &str) -> String {
    stack::ensure_login(database_url, LOGIN_PASSWORD).expect("the components' role")
}

/// Lists the trials of a suite by the names of their functions.
macro_rules! trials {
    ($($name:ident),* $(,)?) => {
        /// The trials of this suite.
        pub const TRIALS: $crate::suites::Trials = &[$((stringify!($name), $name as fn())),*];
    };
}
pub(crate) use trials;

/// A database with the schema: its URL.
pub fn new_database() -> String {
    stage::new_database().expect("a database")
}

/// A database without the schema, made with these options: its URL.
pub fn empty_database(options: &str) -> String {
    stage::empty_database(options).expect("a database")
}

/// A folder of one's own for what a test starts by itself.
pub fn scratch(what: &str) -> std::path::PathBuf {
    stage::scratch().join(private::next(what))
}
