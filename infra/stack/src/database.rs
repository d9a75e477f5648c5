//! A connection to a database, ours or a hosted one.

use anyhow::{Context, Result, anyhow};
use postgres::config::SslMode;
use postgres::error::ErrorPosition;
use postgres::{Client, Config, NoTls};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Connects as the components do: over TLS where the server has it, unless the URL says `sslmode=disable`. The
/// certificate must be one that this machine trusts (`SSL_CERT_FILE` names others).
pub fn connect(url: &str) -> Result<Client> {
    let config: Config = url.parse().context("the database's URL cannot be read")?;
    let client = match config.get_ssl_mode() {
        SslMode::Disable => config.connect(NoTls),
        _ => config.connect(tls()?),
    };
    client.map_err(explain).context("cannot connect to the database")
}

fn tls() -> Result<MakeRustlsConnect> {
    let mut trusted = RootCertStore::empty();
    // Those that cannot be read are as if they were not there: a machine without any can still connect without TLS.
    trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = rustls::crypto::ring::default_provider().into();
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(MakeRustlsConnect::new(builder.with_root_certificates(trusted).with_no_client_auth()))
}

/// What PostgreSQL said: the driver's own text is `db error` and no more.
pub fn explain(error: postgres::Error) -> anyhow::Error {
    explain_in(error, "")
}

/// The same for an error in `sql`, with the number of the line.
pub(crate) fn explain_in(error: postgres::Error, sql: &str) -> anyhow::Error {
    let Some(database_error) = error.as_db_error() else {
        return anyhow!(error);
    };
    let mut text = format!("{}: {}", database_error.severity(), database_error.message());
    for more in [database_error.detail(), database_error.hint()].into_iter().flatten() {
        text.push_str(&format!(" ({more})"));
    }
    if let Some(ErrorPosition::Original(position)) = database_error.position() {
        let before = sql.chars().take(usize::try_from(*position).unwrap_or(usize::MAX));
        text.push_str(&format!(", in line {}", 1 + before.filter(|c| *c == '\n').count()));
    }
    anyhow!(text)
}
