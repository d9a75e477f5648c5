//! Applies the SQL files of `infra/migrations`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use postgres::Client;
use sha2::{Digest, Sha256};

use crate::database::{connect, explain, explain_in};
use crate::preflight;

/// A number that no other program locks; two migrations at once wait for each other.
const LOCK: i64 = 0x7265_6E74_5F6D_6967;

/// The connection's own limits are meant for requests; a migration may build an index for longer.
const SESSION: &str = "SET statement_timeout = 0; SET lock_timeout = '30s'; SET client_min_messages = warning";

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)";

/// Applies `infra/migrations/*.sql` in the order of their names: each once, in a transaction of its own. A file that
/// was changed after it had been applied is an error, and so is a database that they could not be applied to: before the
/// first change. Returns the names applied now.
pub fn migrate(database_url: &str) -> Result<Vec<String>> {
    migrate_from(database_url, &crate::repository_root().join("infra/migrations"))
}

/// The same with the files of another folder.
pub fn migrate_from(database_url: &str, folder: &Path) -> Result<Vec<String>> {
    let migrations = read(folder)?;
    let mut client = connect(database_url)?;
    client.batch_execute(SESSION)?;
    // Held until the connection ends, also when a migration fails.
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).map_err(explain).context("another migration runs")?;
    preflight::prepare(&mut client)?;
    client.batch_execute(LEDGER).map_err(explain).context("cannot create schema_migrations")?;
    let applied = client
        .query("SELECT name, checksum FROM schema_migrations", &[])?
        .into_iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let pending = pending(&migrations, &applied)?;
    for migration in &pending {
        apply(&mut client, migration).with_context(|| format!("{} was not applied", migration.name))?;
    }
    Ok(pending.into_iter().map(|migration| migration.name.clone()).collect())
}

/// Remarks on a migrated database that works, but not as well as it could.
pub fn remarks(database_url: &str) -> Result<Vec<String>> {
    let mut client = connect(database_url)?;
    preflight::prepare(&mut client)?;
    preflight::remarks(&mut client)
}

struct Migration {
    name: String,
    sql: String,
    checksum: String,
}

fn read(folder: &Path) -> Result<Vec<Migration>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut migrations = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let sql = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            migrations.push(Migration { name, checksum: checksum(&sql), sql });
        }
    }
    migrations.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(migrations)
}

/// A checkout on Windows turns line ends around; that is no change of the migration.
fn checksum(sql: &str) -> String {
    let digest = Sha256::digest(sql.replace("\r\n", "\n").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is still to do, or why nothing may be done.
fn pending<'a>(migrations: &'a [Migration], applied: &BTreeMap<String, String>) -> Result<Vec<&'a Migration>> {
    let mut pending = Vec::new();
    for migration in migrations {
        match applied.get(&migration.name) {
            None => pending.push(migration),
            Some(checksum) if *checksum == migration.checksum => {}
            Some(_) => bail!(
                "{} was changed after it had been applied to this database; restore it and write a new migration \
                 (a development database may be dropped instead: stop `cargo xtask up` and remove its data folder)",
                migration.name
            ),
        }
    }
    Ok(pending)
}

fn apply(client: &mut Client, migration: &Migration) -> Result<()> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute(&migration.sql).map_err(|error| explain_in(error, &migration.sql))?;
    transaction
        .execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)",
            &[&migration.name, &migration.checksum],
        )
        .map_err(explain)?;
    transaction.commit().map_err(explain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(name: &str, sql: &str) -> Migration {
        Migration { name: name.into(), sql: sql.into(), checksum: checksum(sql) }
    }

    fn names(pending: Vec<&Migration>) -> Vec<&str> {
        pending.into_iter().map(|migration| migration.name.as_str()).collect()
    }

    #[test]
    fn only_what_is_not_yet_applied_is_pending() {
        let all = [migration("0001.sql", "a"), migration("0002.sql", "b")];
        let applied = BTreeMap::from([("0001.sql".to_owned(), checksum("a"))]);
        assert_eq!(names(pending(&all, &applied).expect("allowed")), ["0002.sql"]);
        assert_eq!(names(pending(&all, &BTreeMap::new()).expect("allowed")), ["0001.sql", "0002.sql"]);
    }

    #[test]
    fn a_file_changed_after_it_was_applied_is_refused() {
        let all = [migration("0001.sql", "a")];
        let applied = BTreeMap::from([("0001.sql".to_owned(), checksum("something else"))]);
        let error = pending(&all, &applied).err().expect("refused");
        assert!(error.to_string().starts_with("0001.sql was changed"), "{error}");
    }

    #[test]
    fn line_ends_do_not_change_a_checksum_and_anything_else_does() {
        assert_eq!(checksum("a\r\nb"), checksum("a\nb"));
        assert_ne!(checksum("a\nb"), checksum("a b"));
    }
}
