//! The role that the components log in as: it owns nothing, and PostgreSQL keeps it to one tenant's rows at a time.

use anyhow::{Context, Result, anyhow};
use url::Url;

use crate::database::{connect, explain};

/// A member of the group role `renttracker_app`, which the migrations make and grant what the components need.
pub const LOGIN: &str = "renttracker_edge";

/// Makes sure that components can log in to a migrated database, with this password: the database's URL for them. Roles
/// belong to the whole server, so this is good for its other databases too.
pub fn ensure_login(admin_url: &str, password: &str) -> Result<String> {
    let mut client = connect(admin_url)?;
    let statement = format!(
        "DO $$
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{LOGIN}') THEN
                CREATE ROLE {LOGIN} LOGIN;
            END IF;
        END
        $$;
        GRANT renttracker_app TO {LOGIN};
        -- Also for sessions that a pooler opens, which may not hand on what a URL asks for. Members of a group do not inherit
        -- its settings.
        ALTER ROLE {LOGIN} SET statement_timeout = '1500ms';
        ALTER ROLE {LOGIN} PASSWORD '{}'",
        password.replace('\'', "''")
    );
    client.batch_execute(&statement).map_err(explain).with_context(|| format!("cannot make the role {LOGIN}"))?;
    login_url(admin_url, password)
}

/// The URL of a database for the components.
pub fn login_url(admin_url: &str, password: &str) -> Result<String> {
    let mut url = Url::parse(admin_url).context("the database's URL cannot be read")?;
    let named = url.set_username(LOGIN).and_then(|()| url.set_password(Some(password)));
    named.map_err(|()| anyhow!("the database's URL names no host"))?;
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_and_the_password_of_the_url_change() {
        let url = login_url("postgres://owner:p@127.0.0.1:5433/db?sslmode=require", "a/b").expect("a URL");
        assert_eq!(url, "postgres://renttracker_edge:a%2Fb@127.0.0.1:5433/db?sslmode=require");
        assert!(login_url("postgres:db", "x").is_err());
    }
}
