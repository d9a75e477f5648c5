//! HTTP as the contract has it: routes, queries, preconditions, CORS, answers and problems. All of it is pure.

mod answer;
mod cors;
mod cursor;
mod header_limits;
mod idempotency;
mod list_query;
mod parameter;
mod precondition;
mod problem;
mod purge_query;
mod request;
mod resource;
mod route;
mod server_timing;
mod traceparent;

pub use answer::Answer;
pub use cors::{finish, preflight};
pub use cursor::{AfterCursor, Cursor, SortKind, split_cache_field};
pub use header_limits::{HostHeaders, MAX_HEADER_BYTES, MAX_HEADERS, MAX_PATH_BYTES, MAX_QUERY_BYTES, check_limits};
pub use idempotency::{Claim, Idempotency};
pub use list_query::{Direction, ListQuery, SortFields};
use parameter::parameter;
pub use precondition::{Condition, Conditions, Precondition, Versions, conditional};
pub use problem::{Problem, problem};
pub use purge_query::PurgeQuery;
pub use request::{MAX_BODY_BYTES, check_body_headers, check_head};
pub use resource::{list, single};
pub use route::{Action, Route};
pub use server_timing::server_timing;
pub use traceparent::trace_id;
