//! The types of the domain: private fields, one way in. Behind them there are no raw strings.

mod ids;
mod members;
mod money;
mod page;
mod payment;
mod property;
mod tenant;
mod timestamp;
mod validation;
mod version;

pub use ids::{Id, PaymentId, PaymentMethodId, PropertyId};
pub use members::Members;
pub use money::Money;
pub use page::{KeysetPage, Page};
pub use payment::{MethodChoice, Payment, PaymentDraft, PaymentMethod};
pub use property::{Property, PropertyDraft};
pub use tenant::TenantId;
pub use timestamp::Timestamp;
pub use validation::Violations;
pub use version::RowVersion;
