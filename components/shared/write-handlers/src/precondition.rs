//! What comes before a write: the resource must be there, whatever else is wrong with the request, and be as its headers
//! demand, whatever is wrong with its body (RFC 9110, section 13.2).

use platform::http::Call;
use platform::postgres::query;
use rental::domain::{PaymentId, PropertyId, RowVersion, TenantId};
use rental::error::Error;
use rental::http::{Conditions, Precondition, Versions};
use rental::sql::{Parameter, RowReader, Statement};

/// What a write is about to change.
#[derive(Clone, Copy)]
pub enum Target {
    /// A property.
    Property(PropertyId),
    /// A payment for a property.
    Payment(PropertyId, PaymentId),
    /// The list of a property's payments.
    Payments(PropertyId),
}

/// What the request demands of the version that it replaces.
///
/// # Errors
/// [`Error::PreconditionRequired`] when it names none and the variable `require_if_match` wants it to.
pub async fn demanded(
    call: &Call,
    tenant: &TenantId,
    target: Target,
    row_version: Option<RowVersion>,
) -> Result<Precondition, Error> {
    let precondition = Precondition::new(&call.parts.headers, row_version);
    if call.instance.config.require_if_match && !precondition.names_a_version() {
        return Err(before(call, tenant, target, Error::PreconditionRequired).await);
    }
    Ok(precondition)
}

/// Passes a request that adds to a list which is there. A list has no tag, so only `*` matches it.
///
/// # Errors
/// [`Error::PreconditionFailed`].
pub fn on_list(call: &Call) -> Result<(), Error> {
    Conditions::of(&call.parts.headers).allow_write(None)
}

/// `error`, or what is answered before it: [`Error::NotFound`] when the target is not there, and
/// [`Error::PreconditionFailed`] when it is not as the headers demand. Only a request that is refused anyway pays for the look.
pub async fn before(call: &Call, tenant: &TenantId, target: Target, error: impl Into<Error>) -> Error {
    let (sql, parameters) = match target {
        Target::Property(id) | Target::Payments(id) => {
            ("SELECT row_version FROM properties WHERE tenant_id = $1 AND id = $2", vec![Parameter::uuid(id)])
        }
        Target::Payment(property, id) => (
            "SELECT row_version FROM payments WHERE tenant_id = $1 AND property_id = $2 AND id = $3",
            vec![Parameter::uuid(property), Parameter::uuid(id)],
        ),
    };
    let rows = match query(&call.instance, Statement::select(tenant, sql).bind(parameters)).await {
        Ok(rows) => rows,
        Err(unavailable) => return unavailable,
    };
    let Some(row) = rows.first() else {
        return Error::NotFound;
    };
    let version = match RowReader::new(row).from_integer(RowVersion::new) {
        Ok(version) => version,
        Err(error) => return error.into(),
    };
    let current = if matches!(target, Target::Payments(_)) { None } else { Some(version) };
    match Conditions::of(&call.parts.headers).allow_write(current) {
        Ok(()) => error.into(),
        Err(failed) => failed,
    }
}

/// The last argument of a function that writes, as parameter `number`, and its value: the versions that it may replace. All
/// but some are whichever it is, read under the lock that the function takes anyway: `row` finds it, as `FROM … WHERE …`, in a
/// table called `v`.
pub fn versions(precondition: &Precondition, number: usize, row: &str) -> (String, Parameter) {
    match precondition.versions() {
        Versions::Any => (format!("${number}"), Parameter::Null),
        Versions::Only(versions) => (format!("${number}"), Parameter::Integers(versions)),
        Versions::AllBut(versions) => {
            let found = format!("SELECT v.row_version {row} AND v.row_version <> ALL (${number}) FOR UPDATE");
            (format!("ARRAY({found})"), Parameter::Integers(versions))
        }
    }
}

/// Why a row that is there was not replaced. One that is as demanded by now was not, when it was locked.
pub fn refusal(precondition: &Precondition, found: RowVersion) -> Error {
    precondition.refusal(found).unwrap_or(Error::PreconditionFailed)
}
