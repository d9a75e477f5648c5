//! What comes before a write: the resource must be there, whatever else is wrong with the request.

use shared::domain::{PaymentId, PropertyId, RowVersion, TenantId};
use shared::error::Error;
use shared::http::Precondition;
use shared::row::Parameter;
use shared::spin::{Call, query};
use shared::statement::Statement;

/// What a write is about to change.
#[derive(Clone, Copy)]
pub enum Target {
    /// A property.
    Property(PropertyId),
    /// A payment for a property.
    Payment(PropertyId, PaymentId),
}

/// What the request demands of the version that it replaces.
///
/// # Errors
/// [`Error::PreconditionRequired`] when it demands nothing and the variable `require_if_match` wants it to.
pub async fn demanded(
    call: &Call,
    tenant: &TenantId,
    target: Target,
    row_version: Option<RowVersion>,
) -> Result<Precondition, Error> {
    let precondition = Precondition::new(&call.parts.headers, row_version);
    if call.config.require_if_match && precondition.is_absent() {
        return Err(unless_missing(call, tenant, target, Error::PreconditionRequired).await);
    }
    Ok(precondition)
}

/// `error`, or [`Error::NotFound`] when the target is not there: not found comes before validation. Only a request that
/// is refused anyway pays for the look.
pub async fn unless_missing(call: &Call, tenant: &TenantId, target: Target, error: impl Into<Error>) -> Error {
    let (sql, parameters) = match target {
        Target::Property(id) => {
            ("SELECT row_version FROM properties WHERE tenant_id = $1 AND id = $2", vec![Parameter::uuid(id)])
        }
        Target::Payment(property, id) => (
            "SELECT row_version FROM payments WHERE tenant_id = $1 AND property_id = $2 AND id = $3",
            vec![Parameter::uuid(property), Parameter::uuid(id)],
        ),
    };
    match query(&call.config, Statement::select(tenant, sql).bind(parameters)).await {
        Ok(rows) if rows.is_empty() => Error::NotFound,
        Ok(_) => error.into(),
        Err(unavailable) => unavailable,
    }
}
