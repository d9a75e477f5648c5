//! What a database must be like before the first migration, and how to mend one that is not.

use anyhow::{Result, bail};
use postgres::Client;

use crate::database::explain;

/// The oldest major version: the functions' bodies are checked when they are made (`RETURN …`), which PostgreSQL 14 is the first to do.
pub const OLDEST_POSTGRES: u32 = 14;
/// What the search of the properties is built of; both come with PostgreSQL.
const EXTENSIONS: [&str; 2] = ["pg_trgm", "btree_gin"];
/// Where the tables are: the functions with their owner's rights look there and nowhere else, and so do the components.
const SCHEMA: &str = "public";
/// The role that the components' logins are members of.
const GROUP: &str = "renttracker_app";

/// One of [`EXTENSIONS`].
#[derive(Clone, Debug, PartialEq, Eq)]
struct Extension {
    name: String,
    /// The schema that it is in; `None` when it is not installed.
    schema: Option<String>,
    /// Whether the migrating role may look into that schema.
    is_usable: bool,
    /// Whether the server has it, and the migrating role may install it.
    is_available: bool,
    may_install: bool,
}

/// The properties of a database that migrations depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    version: i32,
    is_read_only: bool,
    encoding: String,
    /// The first schema of the role's `search_path` that there is.
    schema: Option<String>,
    role: String,
    database: String,
    /// Whether the role may make tables in `public`; `None` when there is no such schema.
    may_create: Option<bool>,
    has_icu: bool,
    extensions: Vec<Extension>,
    has_group: bool,
    may_make_group: bool,
}

/// Asks the database, and sets the session's `search_path`: the tables' schema first, and then those in which the extensions
/// are, for their operator classes have no schema in the migrations.
///
/// # Errors
/// Everything that would make a migration fail, with the sentence that mends it.
pub fn prepare(client: &mut Client) -> Result<()> {
    let facts = ask(client).map_err(explain)?;
    let obstacles = obstacles(&facts);
    if !obstacles.is_empty() {
        bail!("nothing was changed: {}", obstacles.join("; "));
    }
    client.batch_execute(&format!("SET search_path = {}", search_path(&facts))).map_err(explain)
}

/// Remarks on a database that works, but not as well as it could.
pub fn remarks(client: &mut Client) -> Result<Vec<String>> {
    let locale = client.query_one("SELECT datctype::text FROM pg_database WHERE datname = current_database()", &[]);
    let locale: String = locale.map_err(explain)?.get(0);
    // pg_trgm itself knows best what it takes for a letter; before it is there, its usual answer.
    let is_there =
        client.query_opt("SELECT FROM pg_extension WHERE extname = 'pg_trgm'", &[]).map_err(explain)?.is_some();
    let is_blind = if is_there {
        let row = client.query_one("SELECT cardinality(show_trgm('\u{e4}\u{6771}')) = 0", &[]);
        row.map_err(explain)?.get(0)
    } else {
        ["C", "POSIX"].contains(&locale.as_str())
    };
    Ok(is_blind.then(|| blind_search(&locale)).into_iter().collect())
}

fn blind_search(locale: &str) -> String {
    format!(
        "the database's LC_CTYPE is {locale:?}, in which only the letters of ASCII are letters: a search for others is \
         answered right and without its index. Move the data to a database made with createdb --template template0 \
         --encoding UTF8 --locale C.UTF-8"
    )
}

fn ask(client: &mut Client) -> Result<Facts, postgres::Error> {
    let row = client.query_one(
        "SELECT current_setting('server_version_num')::int, current_setting('transaction_read_only') = 'on',
            current_setting('server_encoding'), current_schema()::text, current_user::text, current_database()::text,
            (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1),
            EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu'),
            EXISTS (SELECT FROM pg_roles WHERE rolname = $2),
            (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)",
        &[&SCHEMA, &GROUP],
    )?;
    let extensions = client.query(
        "SELECT wanted.name, n.nspname::text, coalesce(has_schema_privilege(n.oid, 'USAGE'), false), v.name IS NOT NULL,
            coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
                OR v.trusted AND has_database_privilege(current_database(), 'CREATE'), false)
        FROM unnest($1::text[]) AS wanted (name)
        LEFT JOIN pg_extension e ON e.extname = wanted.name LEFT JOIN pg_namespace n ON n.oid = e.extnamespace
        LEFT JOIN LATERAL (
            SELECT a.name, a.trusted FROM pg_available_extension_versions a WHERE a.name = wanted.name LIMIT 1
        ) v ON true",
        &[&EXTENSIONS.as_slice()],
    )?;
    Ok(Facts {
        version: row.get(0),
        is_read_only: row.get(1),
        encoding: row.get(2),
        schema: row.get(3),
        role: row.get(4),
        database: row.get(5),
        may_create: row.get(6),
        has_icu: row.get(7),
        has_group: row.get(8),
        may_make_group: row.get(9),
        extensions: extensions
            .iter()
            .map(|row| Extension {
                name: row.get(0),
                schema: row.get(1),
                is_usable: row.get(2),
                is_available: row.get(3),
                may_install: row.get(4),
            })
            .collect(),
    })
}

/// What stands in the way, each with what mends it.
fn obstacles(facts: &Facts) -> Vec<String> {
    let (role, database) = (quoted(&facts.role), quoted(&facts.database));
    let mut found = Vec::new();
    if facts.is_read_only {
        // Any other fault has to be mended on another server, or later.
        return vec![
            "the server takes no writes: it is a standby, or default_transaction_read_only is on; name the primary"
                .into(),
        ];
    }
    let major = facts.version / 10_000;
    if major < OLDEST_POSTGRES.cast_signed() {
        found.push(format!("PostgreSQL {major} is too old; {OLDEST_POSTGRES} or newer is needed"));
    }
    if facts.encoding != "UTF8" {
        found.push(format!(
            "the database's encoding is {} and cannot hold every text; make it with createdb --template template0 \
             --encoding UTF8 --locale C.UTF-8",
            facts.encoding
        ));
    }
    if !facts.has_icu {
        found.push("the server was built without ICU, whose collation und-x-icu the texts are sorted by".into());
    }
    match facts.may_create {
        None => found.push(format!("there is no schema {SCHEMA}, where the tables are; CREATE SCHEMA {SCHEMA}")),
        Some(false) => found.push(format!(
            "{role} may not make tables in {SCHEMA}; GRANT CREATE ON SCHEMA {SCHEMA} TO {role}, or ALTER DATABASE {database} \
             OWNER TO {role}"
        )),
        Some(true) => {}
    }
    if let Some(schema) = facts.schema.as_deref().filter(|schema| *schema != SCHEMA) {
        found.push(format!(
            "the connection's search_path puts tables into {}, and those of RentTracker Edge are in {SCHEMA}, where its \
             functions and its components look; ALTER ROLE {role} IN DATABASE {database} SET search_path = {SCHEMA}, and take \
             another search_path out of the URL",
            quoted(schema)
        ));
    }
    found.extend(facts.extensions.iter().filter_map(|extension| obstacle_of(extension, &role)));
    if !facts.has_group && !facts.may_make_group {
        found.push(format!(
            "the role {GROUP} is missing and {role} may not make it; have an administrator run CREATE ROLE {GROUP} NOLOGIN"
        ));
    }
    found
}

fn obstacle_of(extension: &Extension, role: &str) -> Option<String> {
    let name = &extension.name;
    match &extension.schema {
        Some(_) if extension.is_usable => None,
        Some(schema) => Some(format!(
            "the extension {name} is in the schema {0}, where {role} may not look; GRANT USAGE ON SCHEMA {0} TO {role}",
            quoted(schema)
        )),
        None if !extension.is_available => {
            Some(format!("the server has no extension {name}; install what PostgreSQL calls contrib"))
        }
        None if !extension.may_install => Some(format!(
            "the extension {name} is missing and {role} may not install it; have an administrator run CREATE EXTENSION {name}"
        )),
        None => None,
    }
}

/// The tables' schema, and then those of the extensions.
fn search_path(facts: &Facts) -> String {
    let mut path = vec![SCHEMA.to_owned()];
    for schema in facts.extensions.iter().filter_map(|extension| extension.schema.as_deref()) {
        let schema = quoted(schema);
        if !path.contains(&schema) {
            path.push(schema);
        }
    }
    path.join(", ")
}

/// As SQL names it: bare where it can be.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(name: &str, schema: Option<&str>) -> Extension {
        let schema = schema.map(str::to_owned);
        Extension { name: name.into(), schema, is_usable: true, is_available: true, may_install: true }
    }

    fn good() -> Facts {
        Facts {
            version: 150_018,
            is_read_only: false,
            encoding: "UTF8".into(),
            schema: Some("public".into()),
            role: "owner".into(),
            database: "renttracker".into(),
            may_create: Some(true),
            has_icu: true,
            extensions: vec![extension("pg_trgm", None), extension("btree_gin", None)],
            has_group: false,
            may_make_group: true,
        }
    }

    /// What is said of a database that is not good in one respect.
    fn said(change: impl FnOnce(&mut Facts)) -> String {
        let mut facts = good();
        change(&mut facts);
        let said = obstacles(&facts);
        assert_eq!(said.len(), 1, "{said:?}");
        said.into_iter().next().unwrap_or_default()
    }

    #[test]
    fn a_good_database_is_let_through() {
        assert_eq!(obstacles(&good()), Vec::<String>::new());
        assert_eq!(search_path(&good()), "public");
    }

    #[test]
    fn each_obstacle_is_told_with_what_mends_it() {
        for (said, mend) in [
            (said(|it| it.version = 130_011), "14 or newer"),
            (said(|it| it.is_read_only = true), "the primary"),
            (said(|it| it.encoding = "SQL_ASCII".into()), "--encoding UTF8"),
            (said(|it| it.has_icu = false), "ICU"),
            (said(|it| it.may_create = None), "CREATE SCHEMA public"),
            (said(|it| it.may_create = Some(false)), "GRANT CREATE ON SCHEMA public TO owner"),
            (
                said(|it| it.schema = Some("App".into())),
                "ALTER ROLE owner IN DATABASE renttracker SET search_path = public",
            ),
            (said(|it| it.extensions[0].is_available = false), "contrib"),
            (said(|it| it.extensions[1].may_install = false), "CREATE EXTENSION btree_gin"),
            (
                said(|it| {
                    it.extensions[0] = Extension { is_usable: false, ..extension("pg_trgm", Some("extensions")) }
                }),
                "GRANT USAGE ON SCHEMA extensions TO owner",
            ),
            (said(|it| it.may_make_group = false), "CREATE ROLE renttracker_app NOLOGIN"),
        ] {
            assert!(said.contains(mend), "{said}");
        }
    }

    #[test]
    fn several_obstacles_are_told_at_once() {
        let facts = Facts { may_create: Some(false), may_make_group: false, ..good() };
        assert_eq!(obstacles(&facts).len(), 2);
    }

    #[test]
    fn extensions_are_found_wherever_they_are() {
        let mut facts = good();
        facts.extensions = vec![
            extension("pg_trgm", Some("My \"own\"")),
            extension("btree_gin", Some("My \"own\"")),
            extension("x", None),
        ];
        assert_eq!(search_path(&facts), "public, \"My \"\"own\"\"\"");
        facts.extensions = vec![extension("pg_trgm", Some("public")), extension("btree_gin", Some("extensions"))];
        assert_eq!(search_path(&facts), "public, extensions");
    }
}
