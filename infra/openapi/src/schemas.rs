//! The schemas of the types that the components read and write.

use rental::domain::{KeysetPage, Page, Payment, PaymentDraft, PaymentMethod, Property, PropertyDraft};
use rental::http::Problem;
use rental::operator::{Breaker, Details, Drained, Health, Order, Purged, Verified, Warmed};
use rental::operator::{pace, verify, warm};
use std::ops::RangeInclusive;
use utoipa::openapi::schema::{
    AllOfBuilder, AnyOfBuilder, ArrayBuilder, Object, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Named schemas, those that they refer to included.
pub fn all() -> Vec<(String, RefOr<Schema>)> {
    let mut all = Vec::new();
    with::<Property>(&mut all);
    all.push((PropertyDraft::name().into_owned(), property_draft()));
    page::<Property>(&mut all);
    all.push((keyset_page_name::<Property>(), KeysetPage::<Property>::schema()));
    with::<Payment>(&mut all);
    page::<Payment>(&mut all);
    all.push((keyset_page_name::<Payment>(), KeysetPage::<Payment>::schema()));
    with::<PaymentMethod>(&mut all);
    with::<Health>(&mut all);
    with::<Details>(&mut all);
    with::<Breaker>(&mut all);
    with::<Order>(&mut all);
    with::<Drained>(&mut all);
    with::<Purged>(&mut all);
    with::<Warmed>(&mut all);
    with::<Verified>(&mut all);
    with::<Problem>(&mut all);
    all.push((PaymentDraft::name().into_owned(), payment_draft()));
    all
}

fn with<T: ToSchema>(all: &mut Vec<(String, RefOr<Schema>)>) {
    T::schemas(all);
    all.push((T::name().into_owned(), T::schema()));
}

/// A page has one name in the code whatever is on it, and here one for each.
fn page<T: ToSchema>(all: &mut Vec<(String, RefOr<Schema>)>) {
    all.push((page_name::<T>(), Page::<T>::schema()));
}

fn page_name<T: ToSchema>() -> String {
    format!("{}Page", T::name())
}

/// A reference to the schema of a page.
fn page_of<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(page_name::<T>()).into()
}

fn keyset_page_name<T: ToSchema>() -> String {
    format!("{}Walk", T::name())
}

/// A page by its number, or by keyset.
pub fn any_page_of<T: ToSchema>() -> RefOr<Schema> {
    let keyset_page: RefOr<Schema> = Ref::from_schema_name(keyset_page_name::<T>()).into();
    RefOr::T(Schema::AnyOf(AnyOfBuilder::new().item(page_of::<T>()).item(keyset_page).build()))
}

/// A reference to the schema of a type.
pub fn of<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// What health answers: without the role of an administrator, less.
pub fn health() -> RefOr<Schema> {
    let whole = AllOfBuilder::new().item(of::<Health>()).item(of::<Details>());
    RefOr::T(Schema::AnyOf(AnyOfBuilder::new().item(whole).item(of::<Health>()).build()))
}

/// A request may write a time in more forms than an answer.
fn property_draft() -> RefOr<Schema> {
    let RefOr::T(Schema::Object(mut draft)) = PropertyDraft::schema() else {
        unreachable!("a struct is an object");
    };
    let optional = || SchemaType::from_iter([Type::String, Type::Null]);
    draft.properties.insert("leaseStartDate".into(), time(optional(), "When the lease starts").into());
    draft.properties.insert("leaseEndDate".into(), time(optional(), "When the lease ends").into());
    RefOr::T(draft.into())
}

/// A time in a request. `date-time` would be RFC 3339 with all that may be left out here.
fn time(kind: SchemaType, description: &str) -> Object {
    let description = format!(
        "{description}: an RFC 3339 time, whose seconds, offset (then it is UTC) and whole time of day may be left out"
    );
    ObjectBuilder::new().schema_type(kind).pattern(Some(TIME)).description(Some(description)).build()
}

/// The form of a time in a request.
pub const TIME: &str =
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}(:[0-9]{2})?)?)?$";

/// A payment's draft has one member where a body has two: an id, or for older clients a name. The client sends the old
/// method's object beside the id of the new one.
fn payment_draft() -> RefOr<Schema> {
    let RefOr::T(Schema::Object(mut draft)) = PaymentDraft::schema() else {
        unreachable!("a struct is an object");
    };
    draft.properties.insert("paymentDate".into(), time(Type::String.into(), "When it was paid").into());
    draft.properties.insert("paymentMethodId".into(), method_id().into());
    draft.properties.insert("paymentMethod".into(), method().into());
    RefOr::T(draft.into())
}

fn method_id() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .description(Some("One of the payment methods; required unless `paymentMethod` names it"))
        .build()
}

fn method() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Object, Type::Null]))
        .max_length(Some(100))
        .description(Some("The name of a payment method, where there is no `paymentMethodId`; an object is ignored"))
        .build()
}

/// What a body may hold that orders the cache to be warmed.
pub fn warm_order() -> RefOr<Schema> {
    let tenants = ArrayBuilder::new().items(tenant()).min_items(Some(1)).max_items(Some(warm::MAX_TENANTS));
    let order = ObjectBuilder::new()
        .property("tenants", tenants.description(Some("Whose entries; or else `activeWithinHours`, and not both")))
        .property(
            "activeWithinHours",
            number(&warm::HOURS).description(Some("Entries of those who made or changed something since")),
        )
        .property(
            "limit",
            usually(&warm::LIMITS, warm::DEFAULT_LIMIT, "How many entries this request deals with at most"),
        )
        .property("ratePerSecond", rate())
        .property("cursor", text().description(Some("Where an earlier answer says that it goes on")));
    RefOr::T(order.build().into())
}

/// What a body may hold that orders the cache to be verified.
pub fn verify_order() -> RefOr<Schema> {
    let order = ObjectBuilder::new()
        .property(
            "sample",
            usually(&verify::SAMPLES, verify::DEFAULT_SAMPLE, "How many entries are looked at, at most"),
        )
        .property("tenant", tenant().description(Some("Whose; anybody's unless it is said")))
        .property("ratePerSecond", rate());
    RefOr::T(order.build().into())
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn tenant() -> ObjectBuilder {
    text().pattern(Some("^[A-Za-z0-9_-]{1,64}$"))
}

fn rate() -> ObjectBuilder {
    usually(&pace::RATES, pace::DEFAULT_RATE, "How many statements are sent to PostgreSQL at most")
}

fn usually(bounds: &RangeInclusive<u64>, default: u64, description: &str) -> ObjectBuilder {
    number(bounds).default(Some(default.into())).description(Some(description))
}

fn number(bounds: &RangeInclusive<u64>) -> ObjectBuilder {
    let bound = |number: &u64| Some(u32::try_from(*number).expect("a small number"));
    ObjectBuilder::new().schema_type(Type::Integer).minimum(bound(bounds.start())).maximum(bound(bounds.end()))
}
