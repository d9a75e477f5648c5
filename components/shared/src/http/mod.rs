//! HTTP as the contract has it: routes, queries, preconditions, CORS, answers and problems. All of it is pure.

mod after;
mod answer;
mod cors;
mod list_query;
mod precondition;
mod problem;
mod request;
mod resource;
mod route;

pub use after::{After, Position, SortKind};
pub use answer::Answer;
pub use cors::{finish, preflight};
pub use list_query::{Direction, ListQuery, SortFields};
pub use precondition::{IfMatch, Precondition, is_not_modified};
pub use problem::problem;
pub use request::{MAX_BODY_BYTES, check_body_headers};
pub use resource::{list, single};
pub use route::{Action, Route, payment_id, property_id};
