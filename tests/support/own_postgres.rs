//! A PostgreSQL of a test's own, for it to break.

use postgres::{Client, NoTls};
use stack::Postgres;

use super::{Private, ensure_login, scratch};

/// The one database of it.
const DATABASE: &str = "own";

/// A server with the schema and the components' role.
pub fn own_postgres() -> Postgres {
    let postgres = Postgres::start_for_tests(&scratch("postgres")).expect("PostgreSQL starts");
    postgres.create_database(DATABASE).expect("a database");
    let url = url_of(&postgres);
    stack::migrate(&url).expect("the schema");
    ensure_login(&url);
    postgres
}

/// The database of [`own_postgres`], as its owner.
pub fn url_of(postgres: &Postgres) -> String {
    postgres.url(DATABASE)
}

/// A session in it.
pub fn sql_of(postgres: &Postgres) -> Client {
    Client::connect(&url_of(postgres), NoTls).expect("PostgreSQL answers")
}

impl Private {
    /// On a PostgreSQL of the test's own.
    pub fn with_postgres(changes: &[(&str, &str)]) -> (Postgres, Private) {
        let postgres = own_postgres();
        let own = Private::on_database(&url_of(&postgres), changes);
        (postgres, own)
    }
}
