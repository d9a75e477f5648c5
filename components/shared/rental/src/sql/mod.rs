//! PostgreSQL, as far as it is data: statements, rows, and what its errors mean.

mod health;
mod row;
pub mod sqlstate;
mod statement;

pub use health::DatabaseHealth;
pub use row::{Column, Parameter, RowError, RowReader};
pub use statement::{CURRENT, CURRENT_WITHOUT_WRITES, Statement};
