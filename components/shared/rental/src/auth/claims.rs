//! What a token says (RFC 7519, section 4.1), once its signature is known to be good.

use super::members::Members;
use super::{Caller, Policy};
use crate::domain::TenantId;
use crate::error::Error;
use serde_json::Value;

/// How far the clocks of issuer and edge may differ, in seconds.
const CLOCK_SKEW_SECONDS: f64 = 60.0;
/// Where the tenant is read from: the first claim that is present counts.
const TENANT_CLAIMS: [&str; 4] =
    ["tenant_id", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", "nameid", "sub"];
/// Where the roles are read from.
const ROLE_CLAIMS: [&str; 2] = ["role", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"];

const NO_TENANT: Error = Error::Forbidden("The token does not name a tenant.");

/// When a token is good, in Unix seconds, the skew included. A NumericDate may have a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validity {
    /// From this moment on.
    from: f64,
    /// Until just before this one.
    until: f64,
}

impl Validity {
    /// `exp` must be there; `nbf` and `iat` need not, and count alike.
    fn of(claims: &Members) -> Result<Self, Error> {
        let date = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(Error::Unauthenticated("a date that is no number")),
        };
        let expires = date("exp")?.ok_or(Error::Unauthenticated("no expiry"))?;
        let begins = [date("nbf")?, date("iat")?].into_iter().flatten().fold(f64::NEG_INFINITY, f64::max);
        Ok(Self { from: begins - CLOCK_SKEW_SECONDS, until: expires + CLOCK_SKEW_SECONDS })
    }

    /// Whether it is good at `now` (Unix time in seconds).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`].
    pub fn check(self, now: u64) -> Result<(), Error> {
        // Unix seconds are exact in a double for the next 200 million years.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let now = now as f64;
        if self.until <= now {
            return Err(Error::Unauthenticated("expired"));
        }
        if self.from > now {
            return Err(Error::Unauthenticated("not valid yet"));
        }
        Ok(())
    }
}

/// The caller, and for how long this may be used without verifying the token again.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    /// The caller.
    pub caller: Caller,
    /// When the token is good.
    pub validity: Validity,
}

impl VerifiedToken {
    /// Reads the claims of a token at `now` (Unix time in seconds).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a token that is not good now, of another issuer or for another audience;
    /// [`Error::Forbidden`] for one that names no tenant.
    pub(super) fn of(claims: &Members, policy: &Policy, now: u64) -> Result<Self, Error> {
        let validity = Validity::of(claims)?;
        validity.check(now)?;
        if claims.get("iss").and_then(Value::as_str) != Some(policy.issuer.as_str()) {
            return Err(Error::Unauthenticated("another issuer"));
        }
        let ours = |value: &Value| value.as_str() == Some(policy.audience.as_str());
        let for_us = match claims.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().any(ours),
            Some(audience) => ours(audience),
            None => false,
        };
        if !for_us {
            return Err(Error::Unauthenticated("another audience"));
        }
        let tenant = TENANT_CLAIMS
            .iter()
            .find_map(|name| claims.get(name))
            .and_then(Value::as_str)
            .and_then(TenantId::parse)
            .ok_or(NO_TENANT)?;
        let is_admin = ROLE_CLAIMS.iter().filter_map(|name| claims.get(name)).any(|role| match role {
            Value::Array(roles) => roles.iter().any(|role| role.as_str() == Some("Admin")),
            role => role.as_str() == Some("Admin"),
        });
        Ok(Self { caller: Caller { tenant, is_admin }, validity })
    }
}
