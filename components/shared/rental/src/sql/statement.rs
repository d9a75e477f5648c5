//! Statements on the rows of one tenant.

use crate::domain::TenantId;
use crate::sql::Parameter;

/// Where the number of the last parameter of a call goes, once it is known.
const START_BY: &str = "$start_by";

/// What a statement that reads asks its server: whether it takes writes. On one that does not, the function answers with an error
/// (`infra/migrations/0015_current_server.sql`). It is not called elsewhere: a call takes a tenth of the statement's time.
pub const CURRENT: &str = "(current_setting('transaction_read_only') = 'off' OR is_current(false))";
/// The same, of a server in whose place no other takes writes: whether it is at least no standby.
pub const CURRENT_WITHOUT_WRITES: &str = "(current_setting('transaction_read_only') = 'off' OR is_current(true))";

/// A standby of the region, and no primary: what a standby is asked in place of [`CURRENT`].
const AT_STANDBY: &str = "pg_is_in_recovery()";
/// How a query comes by its rows.
const ROWS: &str = "SELECT answer.* FROM tenant CROSS JOIN LATERAL (SELECT body.* FROM";
/// The same with two columns more: whether it is a row, and how far the server is (`infra/migrations/0020_regions.sql`).
const ROWS_WITH_PROGRESS: &str =
    "SELECT answer.*, read_progress() FROM tenant LEFT JOIN LATERAL (SELECT body.*, true AS is_row FROM";
/// What those rows end with.
const PROGRESS: &str = "read_progress()";
/// How those rows end.
const END_OF_ROWS: &str = ") AS answer";
/// What a call says last.
const RUN: &str = "database_run() AS run";

/// A statement with its parameters, which sees the rows of one tenant alone.
///
/// PostgreSQL's row level security shows a component the rows of the tenant in the setting `renttracker.tenant`
/// (`infra/migrations/0007_row_level_security.sql`). The statement makes that setting itself, for its own transaction: it
/// stays one round trip, and nothing of it is left in the connection for its next user. There is no
/// other way to run SQL on a tenant's rows, so none can be run without a tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    sql: String,
    parameters: Vec<Parameter>,
}

impl Statement {
    /// A query for `tenant`, whose id is `$1` in it.
    pub fn select(tenant: &TenantId, select: &str) -> Self {
        Self::new(tenant, "", &format!("({select})"))
    }

    /// A query for `tenant` that calls a function (`infra/migrations/0021_single_reads.sql`). In `call` the tenant's id is `tenant.id`.
    /// PostgreSQL keeps the function's plan for as long as the session lasts.
    pub fn read(tenant: &TenantId, call: &str) -> Self {
        Self::new(tenant, "", call)
    }

    /// A query for `tenant`, whose id is `$1` in it, over common table expressions (`name AS (…), …`).
    pub fn with(tenant: &TenantId, tables: &str, select: &str) -> Self {
        Self::new(tenant, &format!(", {tables}"), &format!("({select})"))
    }

    /// The policies are checked as soon as a table is read, and a planner joins in any order. So the order is not left to
    /// it: the query is a lateral subquery of the row that makes the setting, which has to be there before the first row
    /// of the subquery can be asked for, and a common table expression is only run when its rows are asked for, or in the
    /// end. `OFFSET 0` keeps the planner from dissolving the subquery. Nothing at all is read where it may be old
    /// (`infra/migrations/0015_current_server.sql`).
    fn new(tenant: &TenantId, tables: &str, rows: &str) -> Self {
        let sql = format!(
            "WITH tenant AS MATERIALIZED (SELECT set_config('renttracker.tenant', $1, true) AS id WHERE {CURRENT}){tables}
            {ROWS} {rows} AS body WHERE tenant.id IS NOT NULL OFFSET 0
            {END_OF_ROWS}"
        );
        Self { sql, parameters: vec![Parameter::text(tenant)] }
    }

    /// A call, for `tenant`, of a function that writes (`infra/migrations/0017_outbox_keys.sql`). `call` is what the row that is
    /// answered comes from: the function, whose first argument is `tenant`, and what is joined to it. It is run after
    /// [`Statement::started_by`].
    ///
    /// As in the other statements the setting is made before the function can be called: the argument is the result of
    /// `begin_write` (`infra/migrations/0011_writes_in_progress.sql`), which makes it. The last column says which run of
    /// PostgreSQL answered (`infra/migrations/0012_lineage.sql`).
    pub fn call(tenant: &TenantId, call: &str, select: &str) -> Self {
        let sql =
            format!("SELECT {select}, {RUN} FROM begin_write($1, {START_BY}) AS tenant CROSS JOIN LATERAL {call}");
        Self { sql, parameters: vec![Parameter::text(tenant)] }
    }

    /// Has PostgreSQL refuse a call that it starts later than at `clock_ms`, Unix time in milliseconds by its own clock. It
    /// is the last parameter.
    #[must_use]
    pub fn started_by(mut self, clock_ms: i64) -> Self {
        self.parameters.push(Parameter::Integer(clock_ms));
        self.sql = self.sql.replacen(START_BY, &format!("${}", self.parameters.len()), 1);
        self
    }

    /// Gives the next parameters, from `$2`, their values.
    #[must_use]
    pub fn bind(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// Has each row end with how far the server shows the history of the database, as a text (`cache::region::Progress`). A query then
    /// answers one row at least; the column before says whether it is one.
    #[must_use]
    pub fn with_progress(mut self) -> Self {
        self.sql = self.sql.replacen(ROWS, ROWS_WITH_PROGRESS, 1).replacen(RUN, &format!("{RUN}, {PROGRESS}"), 1);
        if self.sql.ends_with(END_OF_ROWS) {
            self.sql.push_str(" ON true");
        }
        self
    }

    /// [`Statement::with_progress`] of a query, for a standby, which also says which registration of the region of `namespace` it shows. No
    /// other server answers a row.
    #[must_use]
    pub fn at_standby(self, namespace: &str, region: &str) -> Self {
        let Self { sql, mut parameters } = self.with_progress();
        parameters.extend([Parameter::text(namespace), Parameter::text(region)]);
        let progress = format!("read_progress(${}, ${})", parameters.len() - 1, parameters.len());
        Self { sql: sql.replacen(CURRENT, AT_STANDBY, 1).replacen(PROGRESS, &progress, 1), parameters }
    }

    /// The text, and the values of its parameters.
    pub fn into_parts(self) -> (String, Vec<Parameter>) {
        (self.sql, self.parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_is_the_first_parameter_and_set_for_the_statement_alone() {
        let tenant = TenantId::parse("landlord-1").expect("an id");
        let select = "SELECT address FROM properties WHERE tenant_id = $1 AND id = $2";
        let (sql, parameters) = Statement::select(&tenant, select).bind([Parameter::uuid("x")]).into_parts();
        assert!(sql.starts_with("WITH tenant AS MATERIALIZED (SELECT set_config('renttracker.tenant', $1, true)"));
        assert!(sql.contains(select));
        assert_eq!(parameters, [Parameter::text("landlord-1"), Parameter::uuid("x")]);

        let (sql, _) = Statement::with(&tenant, "total AS (SELECT 1)", "SELECT").into_parts();
        assert!(sql.contains("OR is_current(false))), total AS (SELECT 1)\n"), "{sql}");

        let (sql, _) = Statement::read(&tenant, "read_property(tenant.id, $2)").into_parts();
        assert!(
            sql.contains("(SELECT body.* FROM read_property(tenant.id, $2) AS body WHERE tenant.id IS NOT NULL"),
            "{sql}"
        );

        let call = Statement::call(&tenant, "delete_payment(tenant, $2) AS r", "r.is_deleted");
        let (sql, parameters) = call.bind([Parameter::uuid("x")]).started_by(7).into_parts();
        let expected = "SELECT r.is_deleted, database_run() AS run FROM begin_write($1, $3) AS tenant \
            CROSS JOIN LATERAL delete_payment(tenant, $2) AS r";
        assert_eq!(sql, expected);
        assert_eq!(parameters, [Parameter::text("landlord-1"), Parameter::uuid("x"), Parameter::Integer(7)]);
    }
}
