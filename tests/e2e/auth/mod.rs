//! Who may come in, and what of whom is shown: tokens, tenants, sessions, and the users of the servers.

pub mod acl;
pub mod database_role;
pub mod jwks;
pub mod row_level_security;
pub mod session;
pub mod tenancy;
pub mod tenant_spoofing;
pub mod tokens;
