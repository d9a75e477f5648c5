//! The role that the components log in to PostgreSQL as: it has the rights of their statements and no others.

use postgres::error::SqlState;

use crate::support::{trials, world};

trials![
    the_components_role_owns_nothing_and_has_no_attributes,
    the_components_role_has_only_the_rights_of_its_statements,
    only_the_components_may_call_security_definer_functions,
];

/// Runs a statement as the components' role for `tenant`; it must be refused for want of rights.
#[track_caller]
pub fn refused(tenant: &str, statement: &str) {
    let mut sql = world().component_sql();
    sql.execute("SELECT set_config('renttracker.tenant', $1, false)", &[&tenant]).expect("the setting");
    let error = sql.batch_execute(statement).err().unwrap_or_else(|| panic!("was done: {statement}"));
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}: {error:?}");
}

fn the_components_role_owns_nothing_and_has_no_attributes() {
    let roles = world().query(
        "SELECT rolname::text, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication, \
            EXISTS (SELECT FROM pg_shdepend d WHERE d.refobjid = r.oid AND d.deptype = 'o'), \
            has_database_privilege(oid, current_database(), 'CREATE') OR has_schema_privilege(oid, 'public', 'CREATE'), \
            ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid) \
         FROM pg_roles r WHERE rolname IN ($1, 'renttracker_app') ORDER BY rolname",
        &[&stack::LOGIN],
    );
    let told: Vec<(String, bool, bool, bool, Vec<String>)> =
        roles.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))).collect();
    let expected = |name: &str, member_of: &[&str]| {
        (name.to_owned(), false, false, false, member_of.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(told, [expected("renttracker_app", &[]), expected(stack::LOGIN, &["renttracker_app"])]);
}

fn the_components_role_has_only_the_rights_of_its_statements() {
    let who = world().tenant();
    who.property_at("1 Main St");
    let owner: String = world().query("SELECT current_user::text", &[])[0].get(0);
    let statements = [
        "ALTER TABLE properties DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE properties NO FORCE ROW LEVEL SECURITY",
        "ALTER POLICY own_properties ON properties USING (true)",
        "DROP POLICY own_payments ON payments",
        "CREATE POLICY mine ON properties USING (true)",
        "SET row_security = off; SELECT * FROM properties",
        "TRUNCATE properties CASCADE",
        "TRUNCATE cache_invalidations",
        "DROP TABLE payments",
        "CREATE TABLE public.mine (n int)",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "ALTER ROLE renttracker_app BYPASSRLS",
        "SELECT * FROM cache_invalidations",
        "DELETE FROM cache_invalidations",
        "UPDATE cache_invalidations SET resources = '{}'",
        "SELECT * FROM breaker_records",
        "UPDATE breaker_records SET record = '{}'",
        "SELECT breaker_run()",
        "SELECT * FROM schema_migrations",
        "INSERT INTO payment_methods (tenant_id, name) VALUES ('~system', 'x')",
        "UPDATE payment_methods SET name = 'x'",
        "DELETE FROM payment_methods",
        "UPDATE properties SET created_at = now()",
        "UPDATE idempotency_keys SET answer = '{}'",
        "COPY properties TO PROGRAM 'cat'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT * FROM pg_authid",
        &format!("SET ROLE {owner}"),
        &format!("SET SESSION AUTHORIZATION {owner}"),
    ];
    for statement in statements {
        refused(&who.id, statement);
    }
    println!("statements beyond the components' rights: {} tried, 0 got through", statements.len());
}

fn only_the_components_may_call_security_definer_functions() {
    let functions = world().query(
        "SELECT proname::text, has_function_privilege('renttracker_app', p.oid, 'EXECUTE'), \
            EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0), \
            array_to_string(proconfig, ' ') \
         FROM pg_proc p WHERE prosecdef AND pronamespace = 'public'::regnamespace \
             AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')",
        &[],
    );
    assert!(functions.len() >= 5, "{functions:?}");
    for row in &functions {
        let (name, ours, everybodys, settings): (String, bool, bool, Option<String>) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        assert!(ours && !everybodys, "{name}");
        let settings = settings.unwrap_or_default();
        assert!(settings.contains("search_path=pg_catalog, public, pg_temp"), "{name}: {settings}");
    }
}
