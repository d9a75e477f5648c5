//! The query of `DELETE /api/cache`.

use super::parameter;
use crate::domain::{TenantId, Violations};
use cache::KeyPattern;

/// Which values to remove from the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeQuery {
    /// Whose names they have.
    pub pattern: KeyPattern,
    /// Whose they are, when that is not the caller's to begin with.
    pub tenant: Option<TenantId>,
    /// Where an earlier request stopped; 0 begins a scan.
    pub cursor: u64,
}

impl PurgeQuery {
    /// Reads a query string. Names match in any case, the first of two with the same name counts.
    ///
    /// # Errors
    /// Names the members that are missing or wrong.
    pub fn parse(query: Option<&str>) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let pattern = parameter(query, "pattern", &mut violations);
        let tenant = parameter(query, "tenant", &mut violations);
        let cursor = parameter(query, "cursor", &mut violations);
        let pattern = match pattern.as_deref().map(KeyPattern::parse) {
            Some(Ok(pattern)) => Some(pattern),
            Some(Err(problem)) => {
                violations.add("pattern", problem);
                None
            }
            None if violations.is_empty() => {
                violations.add("pattern", "is required");
                None
            }
            None => None,
        };
        let tenant = tenant.as_deref().map(TenantId::parse);
        if tenant == Some(None) {
            violations.add("tenant", TenantId::FORM);
        }
        let cursor = cursor.map_or(Some(0), |text| text.parse().ok());
        if cursor.is_none() {
            violations.add("cursor", "must be one that an earlier answer named");
        }
        match (pattern, cursor) {
            (Some(pattern), Some(cursor)) if violations.is_empty() => {
                Ok(Self { pattern, tenant: tenant.flatten(), cursor })
            }
            _ => Err(violations),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_needed_and_the_rest_is_not() {
        let query = PurgeQuery::parse(Some("pattern=property:*")).expect("valid");
        assert_eq!(Ok(query.pattern), KeyPattern::parse("property:*"));
        assert_eq!((query.tenant, query.cursor), (None, 0));
        let query =
            PurgeQuery::parse(Some("Pattern=%2A&tenant=b&cursor=18446744073709551615&pattern=x")).expect("valid");
        assert_eq!(Ok(query.pattern), KeyPattern::parse("*"));
        assert_eq!((query.tenant, query.cursor), (TenantId::parse("b"), u64::MAX));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, member) in [
            ("", "pattern"),
            ("pattern=", "pattern"),
            ("pattern=a%00", "pattern"),
            ("pattern=*&tenant=", "tenant"),
            ("pattern=*&tenant=a:b", "tenant"),
            ("pattern=*&tenant=*", "tenant"),
            ("pattern=*&cursor=-1", "cursor"),
            ("pattern=*&cursor=0%20MATCH", "cursor"),
        ] {
            let violations = PurgeQuery::parse(Some(query)).expect_err(query);
            assert!(violations.by_member().contains_key(member), "{query}");
        }
    }
}
