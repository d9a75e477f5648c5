//! Migrations on databases that are not as the guides make them: they work, or refuse before the first change with the sentence
//! that mends it.

use std::path::PathBuf;

use postgres::{Client, NoTls};

use crate::support::{Private, empty_database, scratch, trials};

trials![
    extensions_may_be_in_any_schema,
    another_schema_is_refused_before_the_first_change,
    a_role_without_the_rights_is_refused_with_the_missing_rights,
    an_encoding_that_cannot_hold_every_text_is_refused,
    a_server_that_takes_no_writes_is_refused,
    an_ascii_locale_is_reported,
    values_that_no_answer_can_carry_are_reported_before_any_change,
    equal_times_have_one_form_after_the_migration,
    expired_keys_are_removed_up_to_the_ordered_number,
];

fn sql(url: &str) -> Client {
    Client::connect(url, NoTls).expect("PostgreSQL answers")
}

/// What `migrate` says to this database, in which it has changed nothing.
#[track_caller]
fn refused(url: &str) -> String {
    let tables = |url: &str| -> i64 {
        let count = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information)'";
        sql(url).query_one(count, &[]).expect("tables").get(0)
    };
    let error = stack::migrate(url).expect_err("it is refused");
    assert_eq!(tables(url), 0, "something was changed");
    format!("{error:#}")
}

/// The same URL, for another role.
fn as_role(url: &str, role: &str) -> String {
    let (_, place) = url.rsplit_once('@').expect("a URL with a role");
    format!("postgres://{role}:p@{place}")
}

/// A role that owns the database and may do nothing else.
fn owner_of(url: &str) -> String {
    let database = url.rsplit('/').next().expect("a name").to_owned();
    let role = format!("owner_of_{database}");
    let statement = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p'; ALTER DATABASE {database} OWNER TO {role}; GRANT renttracker_app TO {role}"
    );
    sql(url).batch_execute(&statement).expect("a role");
    role
}

fn extensions_may_be_in_any_schema() {
    let url = empty_database("");
    let statement = "CREATE SCHEMA \"Extra s\"; CREATE EXTENSION pg_trgm SCHEMA \"Extra s\"; \
        CREATE SCHEMA more; CREATE EXTENSION btree_gin SCHEMA more";
    sql(&url).batch_execute(statement).expect("extensions");
    assert!(!stack::migrate(&url).expect("it works").is_empty());
    assert_eq!(stack::migrate(&url).expect("it works again"), Vec::<String>::new());
    // And the product on it, its search with the index of the extension too.
    let own = Private::on_database(&url, &[]);
    let who = own.tenant();
    let id = who.property_at("12 \u{c4}rger Stra\u{df}e");
    assert_eq!(who.ids("/api/properties?searchTerm=%C3%A4rger+strasse"), [id]);
}

fn another_schema_is_refused_before_the_first_change() {
    let url = empty_database("");
    let mut admin = sql(&url);
    admin.batch_execute("CREATE SCHEMA app").expect("a schema");
    let said = refused(&format!("{url}?options=-csearch_path%3Dapp"));
    assert!(said.contains("search_path puts tables into app") && said.contains("SET search_path = public"), "{said}");

    // The schema that "$user" in the default search_path stands for, and one that the role was given.
    let role = owner_of(&url);
    let theirs = as_role(&url, &role);
    admin.batch_execute(&format!("CREATE SCHEMA {role} AUTHORIZATION {role}")).expect("a schema");
    let said = refused(&theirs);
    assert!(said.contains(&format!("ALTER ROLE {role} IN DATABASE")), "{said}");
    admin
        .batch_execute(&format!("DROP SCHEMA {role}; ALTER ROLE {role} SET search_path = app, public"))
        .expect("a setting");
    admin.batch_execute(&format!("GRANT ALL ON SCHEMA app TO {role}")).expect("rights");
    assert!(refused(&theirs).contains("puts tables into app"));

    // The sentence mends it.
    let database = url.rsplit('/').next().expect("a name");
    let mend = format!("ALTER ROLE {role} IN DATABASE {database} SET search_path = public");
    admin.batch_execute(&mend).expect("it can be done");
    stack::migrate(&theirs).expect("it works");

    // A search_path that is set for the components does not matter: they say which.
    admin.batch_execute(&format!("ALTER DATABASE {database} SET search_path = app")).expect("a setting");
    let own = Private::on_database(&url, &[]);
    let who = own.tenant();
    who.get("/api/properties").is(200);
    who.property_at("1 Main St");

    let url = empty_database("");
    sql(&url).batch_execute("DROP SCHEMA public").expect("no schema");
    assert!(refused(&url).contains("CREATE SCHEMA public"));
}

fn a_role_without_the_rights_is_refused_with_the_missing_rights() {
    let url = empty_database("");
    let role = owner_of(&url);
    let theirs = as_role(&url, &role);
    let mut admin = sql(&url);
    let database = url.rsplit('/').next().expect("a name").to_owned();
    admin
        .batch_execute(&format!(
            "ALTER DATABASE {database} OWNER TO postgres; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        ))
        .expect("rights");
    let said = refused(&theirs);
    for mend in [
        format!("GRANT CREATE ON SCHEMA public TO {role}"),
        "CREATE EXTENSION pg_trgm".to_owned(),
        "CREATE EXTENSION btree_gin".to_owned(),
    ] {
        assert!(said.contains(&mend), "{said}");
    }
    admin
        .batch_execute("CREATE SCHEMA extra; CREATE EXTENSION pg_trgm SCHEMA extra; CREATE EXTENSION btree_gin")
        .expect("they are there");
    admin.batch_execute(&format!("GRANT CREATE ON SCHEMA public TO {role}")).expect("rights");
    let said = refused(&theirs);
    assert!(said.contains(&format!("GRANT USAGE ON SCHEMA extra TO {role}")), "{said}");
    admin.batch_execute(&format!("GRANT USAGE ON SCHEMA extra TO {role}")).expect("rights");
    stack::migrate(&theirs).expect("it works");
}

fn an_encoding_that_cannot_hold_every_text_is_refused() {
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let url = empty_database(&format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"));
        let said = refused(&url);
        assert!(said.contains(encoding) && said.contains("--encoding UTF8"), "{said}");
    }
}

fn a_server_that_takes_no_writes_is_refused() {
    let url = empty_database("");
    let database = url.rsplit('/').next().expect("a name");
    sql(&url)
        .batch_execute(&format!("ALTER DATABASE {database} SET default_transaction_read_only = on"))
        .expect("a setting");
    assert!(refused(&url).contains("name the primary"));
}

fn an_ascii_locale_is_reported() {
    let url = empty_database("LC_COLLATE 'C' LC_CTYPE 'C'");
    for when in ["before", "after"] {
        let remarks = stack::remarks(&url).expect("it answers");
        assert!(remarks.len() == 1 && remarks[0].contains("--locale C.UTF-8"), "{when}: {remarks:?}");
        stack::migrate(&url).expect("it works");
    }
    let url = empty_database("LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'");
    for _ in ["before", "after"] {
        assert_eq!(stack::remarks(&url).expect("it answers"), Vec::<String>::new());
        stack::migrate(&url).expect("it works");
    }
}

/// A folder with the migrations whose names are before this one.
fn before(name: &str) -> PathBuf {
    let folder = scratch("migrations");
    std::fs::create_dir_all(&folder).expect("a folder");
    for entry in std::fs::read_dir(stack::repository_root().join("infra/migrations")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        if file.ends_with(".sql") && file.as_str() < name {
            std::fs::copy(&path, folder.join(file)).expect("a copy");
        }
    }
    folder
}

const PROPERTY: &str = "0190b5a8-0000-7000-8000-000000000007";

fn values_that_no_answer_can_carry_are_reported_before_any_change() {
    let url = empty_database("");
    stack::migrate_from(&url, &before("0013")).expect("the schema of before");
    let mut admin = sql(&url);
    admin
        .batch_execute(&format!(
            "INSERT INTO properties (tenant_id, id, address, lease_start_date, weekly_rent_amount) VALUES
                ('a', '{PROPERTY}', 'x', '0044-03-15 BC', 'NaN'), ('a', gen_random_uuid(), 'y', '20000-01-01', 1);
            INSERT INTO payments (tenant_id, id, property_id, amount, payment_date, payment_method_tenant_id, payment_method_id)
                SELECT 'a', gen_random_uuid(), '{PROPERTY}', 'NaN', now(), tenant_id, id FROM payment_methods LIMIT 1"
        ))
        .expect("rows");
    let error = format!("{:#}", stack::migrate(&url).expect_err("it is refused"));
    for told in [
        &format!("1 in properties.weekly_rent_amount (one of them in the row {PROPERTY})"),
        "2 in properties.lease_start_date (one of them in the row ",
        "1 in payments.amount (one of them in the row ",
        "correct these rows and migrate again",
    ] {
        assert!(error.contains(told), "{error}");
    }
    let count = "SELECT count(*) FROM pg_proc WHERE proname = 'one_form'";
    assert_eq!(admin.query_one(count, &[]).expect("a count").get::<_, i64>(0), 0, "something was changed");
    let mend =
        "UPDATE properties SET lease_start_date = NULL, weekly_rent_amount = NULL; UPDATE payments SET amount = 1";
    admin.batch_execute(mend).expect("it can be done");
    stack::migrate(&url).expect("it works");
}

fn equal_times_have_one_form_after_the_migration() {
    let url = empty_database("");
    stack::migrate_from(&url, &before("0013")).expect("the schema of before");
    let mut admin = sql(&url);
    admin
        .batch_execute(&format!(
            "INSERT INTO properties (tenant_id, id, address, lease_start_date, lease_end_date) VALUES
                ('a', '{PROPERTY}', 'x', '0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999+00');
            INSERT INTO payments (tenant_id, id, property_id, amount, payment_date, payment_method_tenant_id, payment_method_id)
                SELECT 'a', gen_random_uuid(), '{PROPERTY}', 1, date::timestamptz, tenant_id, id
                FROM (SELECT * FROM payment_methods LIMIT 1) m, unnest(ARRAY['0001-01-01 00:00:00+00',
                    '9999-12-31 23:59:59.999999+00', '9999-12-31 23:59:59.9999999+00']) AS date"
        ))
        .expect("rows");
    stack::migrate(&url).expect("it works");
    let row = admin
        .query_one("SELECT lease_start_date::text, lease_end_date::text, row_version FROM properties", &[])
        .expect("the row");
    assert_eq!((row.get::<_, String>(0), row.get::<_, String>(1)), ("-infinity".into(), "infinity".into()));
    assert_eq!(row.get::<_, i64>(2), 1, "its answer stays as it was, and so does its version");
    let dates = admin.query("SELECT payment_date::text FROM payments ORDER BY payment_date", &[]).expect("the rows");
    assert_eq!(dates.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["-infinity", "infinity", "infinity"]);
}

/// However PostgreSQL joins.
fn expired_keys_are_removed_up_to_the_ordered_number() {
    let url = empty_database("");
    stack::migrate(&url).expect("the schema");
    let mut admin = sql(&url);
    admin
        .batch_execute(
            "INSERT INTO idempotency_keys (tenant_id, key, request, answer, created_at)
            SELECT 'a', 'k' || n, repeat('a', 64), '{}', now() - interval '2 days' + n * interval '1 second'
            FROM generate_series(1, 100) n",
        )
        .expect("keys");
    for joins in [
        "",
        "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_hashagg = off; SET enable_sort = off;
        SET enable_material = off",
    ] {
        admin.batch_execute(joins).expect("settings");
        let removed = admin.query_one("SELECT remove_expired_idempotency_keys(10)", &[]).expect("an answer");
        assert_eq!(removed.get::<_, i64>(0), 10, "{joins}");
    }
    let left = admin.query_one("SELECT count(*), min(key) FROM idempotency_keys", &[]).expect("an answer");
    assert_eq!((left.get::<_, i64>(0), left.get::<_, String>(1)), (80, "k100".into()), "the oldest first");
}
