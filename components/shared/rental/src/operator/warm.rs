//! Warming the cache: `POST /api/cache/warm`.
//!
//! It covers what landlords ask for first: the first page of their properties as the list is without a query, and of
//! each property itself and the first page of its payments. It goes by tenant, and within a tenant by property, in the order
//! of their ids. So the last entry that was dealt with says where to go on, and nothing is kept between two requests.

use crate::domain::{Members, PropertyId, TenantId, Violations};
use crate::operator::pace::{DEFAULT_RATE, RATES};
use crate::resource::Resource;
use crate::source::Source;
use cache::Resource as _;
use std::collections::VecDeque;
use std::fmt;
use std::ops::RangeInclusive;

/// Entries that one request deals with: with the highest rate as many as its time is enough for.
pub const LIMITS: RangeInclusive<u64> = 1..=1_000;
/// The same unless the operator says otherwise: with the usual rate as many as its time is enough for.
pub const DEFAULT_LIMIT: u64 = 250;
/// The most tenants that an operator may name at once.
pub const MAX_TENANTS: usize = 100;
/// How far back activity may lie, in hours: a week.
pub const HOURS: RangeInclusive<u64> = 1..=168;
/// Tenants that are listed by one statement.
pub const TENANTS_AT_A_TIME: usize = 100;
/// Properties that are listed by one statement.
pub const PROPERTIES_AT_A_TIME: usize = 200;

/// An operator's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmOrder {
    /// Whose entries.
    pub whose: Whose,
    /// How many entries this request deals with at most.
    pub limit: u64,
    /// How many statements it sends at most, a second.
    pub rate: u64,
    /// Where an earlier request stopped.
    pub cursor: Option<WarmCursor>,
}

/// Whose entries are warmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of these tenants, in the order of their ids, each once.
    Tenants(Vec<TenantId>),
    /// Those of tenants with a property or a payment that was made or changed within so many hours.
    Active(u64),
}

impl WarmOrder {
    /// Reads a request body.
    ///
    /// # Errors
    /// Names the members that are missing or wrong.
    pub fn parse(body: &[u8]) -> Result<Self, Violations> {
        let mut members = Members::parse(body)?;
        let tenants = members.optional_list("tenants", MAX_TENANTS, TenantId::parse, TenantId::FORM);
        let hours = members.optional_number("activeWithinHours", HOURS);
        let limit = members.optional_number("limit", LIMITS).unwrap_or(DEFAULT_LIMIT);
        let rate = members.optional_number("ratePerSecond", RATES).unwrap_or(DEFAULT_RATE);
        let cursor = members.optional_parsed("cursor", WarmCursor::parse, "must be one that an earlier answer named");
        if members.has("tenants") == members.has("activeWithinHours") {
            members.refuse("tenants", "must be there, or else activeWithinHours, and not both");
        }
        if let (Some(tenants), Some(cursor)) = (&tenants, &cursor)
            && !tenants.contains(&cursor.tenant)
        {
            members.refuse("cursor", "must be one that an earlier answer for the same tenants named");
        }
        members.finish()?;
        let whose = match (tenants, hours) {
            (Some(mut tenants), _) => {
                tenants.sort_by(|one, other| one.as_str().cmp(other.as_str()));
                tenants.dedup();
                Whose::Tenants(tenants)
            }
            (None, Some(hours)) => Whose::Active(hours),
            // Noted above, so `finish` has refused the body by now.
            (None, None) => return Err(Violations::one("tenants", "must be there")),
        };
        Ok(Self { whose, limit, rate, cursor })
    }
}

/// The cursor of a warming: one of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmCursor {
    /// Whose it is.
    pub tenant: TenantId,
    resource: Resource,
}

impl WarmCursor {
    /// Reads a cursor; `None` for what is none.
    fn parse(cursor: &str) -> Option<Self> {
        let (tenant, name) = cursor.split_once(':')?;
        let resource = Resource::parse(name).filter(|resource| !matches!(resource, Resource::Payment(_)))?;
        Some(Self { tenant: TenantId::parse(tenant)?, resource })
    }

    /// What the entry is read from.
    ///
    /// # Errors
    /// None: the first pages are asked for without a query.
    pub fn source(&self) -> Result<Source, Violations> {
        match self.resource {
            Resource::PropertyList => Source::properties(None),
            Resource::PaymentList(property) => Source::payments(property, None),
            Resource::Property(id) => Ok(Source::Property(id)),
            Resource::Payment(id) => Ok(Source::Payment(id)),
        }
    }
}

impl fmt::Display for WarmCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.tenant, self.resource)
    }
}

/// What a warming needs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next active tenants ([`Warming::take_tenants`]), from this one on.
    ListTenants {
        /// Within how many hours.
        hours: u64,
        /// The last one that is known; empty for none.
        after: String,
    },
    /// The next properties of a tenant ([`Warming::take_properties`]).
    ListProperties {
        /// Whose.
        tenant: TenantId,
        /// The last one that is known.
        after: Option<PropertyId>,
    },
    /// To see to this entry.
    Entry(WarmCursor),
    /// Nothing: it is over.
    Done,
}

/// A warming, from where an earlier one stopped.
#[derive(Debug)]
pub struct Warming {
    /// Within how many hours, while there may be more active tenants to list.
    unlisted: Option<u64>,
    /// How many active tenants there are behind those that are listed.
    behind: u64,
    last_listed: String,
    tenants: VecDeque<TenantId>,
    current: Option<Current>,
}

/// The tenant that is being warmed.
#[derive(Debug)]
struct Current {
    tenant: TenantId,
    entries: VecDeque<Resource>,
    last_listed: Option<PropertyId>,
    is_listed: bool,
}

impl Warming {
    /// Begins.
    pub fn new(order: &WarmOrder) -> Self {
        let current = order.cursor.clone().map(Current::behind);
        let reached = order.cursor.as_ref().map_or("", |cursor| cursor.tenant.as_str());
        let (unlisted, tenants) = match &order.whose {
            Whose::Active(hours) => (Some(*hours), VecDeque::new()),
            Whose::Tenants(tenants) => {
                let left = tenants.iter().filter(|tenant| tenant.as_str() > reached);
                (None, left.cloned().collect())
            }
        };
        Self { unlisted, behind: 0, last_listed: reached.to_owned(), tenants, current }
    }

    /// What comes next. What was listed for it has to be taken before it is asked again.
    pub fn step(&mut self) -> Step {
        loop {
            if let Some(hours) = self.unlisted.filter(|_| self.tenants.is_empty()) {
                return Step::ListTenants { hours, after: self.last_listed.clone() };
            }
            if let Some(current) = &mut self.current {
                let tenant = current.tenant.clone();
                if let Some(resource) = current.entries.pop_front() {
                    return Step::Entry(WarmCursor { tenant, resource });
                }
                if !current.is_listed {
                    return Step::ListProperties { tenant, after: current.last_listed };
                }
            }
            self.current = self.tenants.pop_front().map(Current::new);
            if self.current.is_none() && self.unlisted.is_none() {
                return Step::Done;
            }
        }
    }

    /// The tenants that were asked for, at most [`TENANTS_AT_A_TIME`], and how many there are from the first of them on.
    pub fn take_tenants(&mut self, tenants: Vec<TenantId>, all: u64) {
        let listed = u64::try_from(tenants.len()).unwrap_or(u64::MAX);
        self.behind = all.saturating_sub(listed);
        if tenants.len() < TENANTS_AT_A_TIME {
            self.unlisted = None;
        }
        if let Some(last) = tenants.last() {
            self.last_listed = last.to_string();
        }
        self.tenants.extend(tenants);
    }

    /// The properties that were asked for, at most [`PROPERTIES_AT_A_TIME`].
    pub fn take_properties(&mut self, properties: Vec<PropertyId>) {
        let Some(current) = &mut self.current else {
            return;
        };
        current.is_listed = properties.len() < PROPERTIES_AT_A_TIME;
        current.last_listed = properties.last().copied().or(current.last_listed);
        let entries = properties.into_iter().flat_map(|id| [Resource::Property(id), Resource::PaymentList(id)]);
        current.entries.extend(entries);
    }

    /// How many tenants are not done, the one that it is at included.
    pub fn tenants_left(&self) -> u64 {
        let known = self.tenants.len() + usize::from(self.current.is_some());
        self.behind.saturating_add(u64::try_from(known).unwrap_or(u64::MAX))
    }
}

impl Current {
    fn new(tenant: TenantId) -> Self {
        Self { tenant, entries: [Resource::PropertyList].into(), last_listed: None, is_listed: false }
    }

    /// What comes behind an entry that was dealt with.
    fn behind(WarmCursor { tenant, resource }: WarmCursor) -> Self {
        let (entries, last_listed) = match resource {
            Resource::Property(id) => ([Resource::PaymentList(id)].into(), Some(id)),
            Resource::PaymentList(id) => (VecDeque::new(), Some(id)),
            Resource::PropertyList | Resource::Payment(_) => (VecDeque::new(), None),
        };
        Self { tenant, entries, last_listed, is_listed: false }
    }
}

#[cfg(test)]
mod tests;
