//! What can be done with each path: the one list to extend when a route is added (a test finds what is missing).

use rental::domain::{Payment, PaymentDraft, PaymentMethod, Property, PropertyDraft};
use rental::operator::{Breaker, Drained, Order, Purged, Verified, Warmed};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{
    ContentBuilder, KnownFormat, PathItem, Paths, PathsBuilder, RefOr, Required, Schema, SecurityRequirement,
};

use crate::answers::{self, empty, problem, text};
use crate::schemas::{self, any_page_of, of};
use crate::session;

/// The name of the bearer token among the security schemes.
pub const SCHEME: &str = "bearer";

/// What any request can be answered with.
const ALWAYS: [u16; 5] = [400, 405, 414, 431, 500];
/// What a request that needs a token can be answered with besides.
const WITH_TOKEN: [u16; 3] = [401, 403, 429];
/// What a request with a body can be answered with besides.
const WITH_BODY: [u16; 3] = [400, 413, 415];
/// What a request can be answered with that replaces a version of something.
const WITH_VERSION: [u16; 2] = [412, 428];

/// What a group of operations is called, and what it is about. Generators name folders and classes so.
pub const TAGS: [(&str, &str); 4] = [PROPERTIES, PAYMENTS, CACHE, SERVICE];
const PROPERTIES: (&str, &str) = ("Properties", "A landlord's rental properties");
const PAYMENTS: (&str, &str) = ("Payments", "The payments for a property, and the ways of paying");
const CACHE: (&str, &str) = ("Cache", "What an operator orders the cache to do");
const SERVICE: (&str, &str) = ("Service", "How the service is, for orchestrators and tools");

const PROPERTY_SORT: &str = "`address` (also for an unknown one), `suburb`, `state`, `weeklyRentAmount`, `leaseStartDate` \
    or `leaseEndDate`, in any case";
const PAYMENT_SORT: &str = "`paymentDate` (also for an unknown one), `amount`, `paymentMethod`, `paymentReference` or \
    `notes`, in any case; without it the newest come first";

/// All of them.
pub fn all() -> Paths {
    let mut paths = PathsBuilder::new();
    for (path, item) in [properties(), property(), payments(), payment(), methods()].into_iter().chain(operations()) {
        paths = paths.path(path, item);
    }
    paths.build()
}

type Described = (&'static str, PathItem);

fn properties() -> Described {
    let list = Operation::new("listProperties", "A page of the landlord's properties")
        .token()
        .list(PROPERTY_SORT)
        .after()
        .answers(200, answers::json("The page", any_page_of::<Property>(), &["Cache-Status"]));
    let create = Operation::new("createProperty", "Adds a property")
        .token()
        .body::<PropertyDraft>(property_example())
        .once()
        .answers(201, answers::json("The property", of::<Property>(), &["ETag", "Location"]));
    ("/api/properties", item(PROPERTIES, [(HttpMethod::Get, list), (HttpMethod::Post, create)]))
}

fn property() -> Described {
    let get = Operation::new("getProperty", "A property")
        .token()
        .ids(&["id"])
        .tagged()
        .answers(200, answers::json("The property", of::<Property>(), &["ETag", "Cache-Status"]));
    let replace = Operation::new("replaceProperty", "Replaces the writable members of a property")
        .token()
        .ids(&["id"])
        .body::<PropertyDraft>(property_example())
        .version()
        .errors(&[409])
        .answers(200, answers::json("The property", of::<Property>(), &["ETag"]));
    let delete = Operation::new("deleteProperty", "Removes a property and its payments")
        .token()
        .ids(&["id"])
        .version()
        .answers(204, empty("It is gone", &[]));
    let item = item(PROPERTIES, [(HttpMethod::Get, get), (HttpMethod::Put, replace), (HttpMethod::Delete, delete)]);
    ("/api/properties/{id}", item)
}

fn payments() -> Described {
    let list = Operation::new("listPayments", "A page of the payments for a property")
        .token()
        .ids(&["propertyId"])
        .list(PAYMENT_SORT)
        .after()
        .answers(200, answers::json("The page", any_page_of::<Payment>(), &["Cache-Status"]));
    let create = Operation::new("createPayment", "Records a payment for a property")
        .token()
        .ids(&["propertyId"])
        .body::<PaymentDraft>(payment_example())
        .once()
        .answers(201, answers::json("The payment", of::<Payment>(), &["ETag", "Location"]));
    ("/api/properties/{propertyId}/payments", item(PAYMENTS, [(HttpMethod::Get, list), (HttpMethod::Post, create)]))
}

fn payment() -> Described {
    const IDS: [&str; 2] = ["propertyId", "paymentId"];
    let get = Operation::new("getPayment", "A payment for this property")
        .token()
        .ids(&IDS)
        .tagged()
        .answers(200, answers::json("The payment", of::<Payment>(), &["ETag", "Cache-Status"]));
    let replace = Operation::new("replacePayment", "Replaces the writable members of a payment")
        .token()
        .ids(&IDS)
        .body::<PaymentDraft>(payment_example())
        .version()
        .errors(&[409])
        .answers(204, empty("It is replaced", &["ETag"]));
    let delete = Operation::new("deletePayment", "Removes a payment")
        .token()
        .ids(&IDS)
        .version()
        .answers(204, empty("It is gone", &[]));
    let item = item(PAYMENTS, [(HttpMethod::Get, get), (HttpMethod::Put, replace), (HttpMethod::Delete, delete)]);
    ("/api/properties/{propertyId}/payments/{paymentId}", item)
}

fn methods() -> Described {
    let methods = ArrayBuilder::new().items(of::<PaymentMethod>()).build();
    let list = Operation::new("listPaymentMethods", "The system's ways of paying and the landlord's own, by name")
        .token()
        .errors(&[503])
        .answers(200, answers::json("The methods", RefOr::T(methods.into()), &["Cache-Status"]));
    ("/api/paymentmethods", item(PAYMENTS, [(HttpMethod::Get, list)]))
}

/// What operators, orchestrators and tools ask for.
fn operations() -> [Described; 10] {
    let health =
        Operation::new("health", "How the service is; an administrator is told details, a token is not needed")
            .token_optional()
            .answers(200, answers::json("It answers requests", schemas::health(), &[]))
            .answers(503, answers::json("It has no database", schemas::health(), &[]));
    let text_parameter = || ObjectBuilder::new().schema_type(Type::String);
    let purge =
        Operation::new("purgeCache", "Removes the landlord's own values from the cache, by a pattern of their names")
            .token()
            .required(
                ParameterIn::Query,
                "pattern",
                "Of names such as `property:list`; `*` is any text",
                text_parameter(),
            )
            .optional(ParameterIn::Query, "tenant", "Another landlord, whom only `Admin` may name", text_parameter())
            .optional(ParameterIn::Query, "cursor", "Where an earlier answer says that it goes on", text_parameter())
            .errors(&[400, 503])
            .answers(200, answers::json("What was done", of::<Purged>(), &[]));
    let drain =
        Operation::new("drainOutbox", "Tells Redis of every invalidation that its writer could not; needs `Admin`")
            .token()
            .errors(&[503])
            .answers(200, answers::json("What was done", of::<Drained>(), &[]));
    let breaker = Operation::new("breaker", "The circuit breaker; needs `Admin`")
        .token()
        .errors(&[503])
        .answers(200, answers::json("The breaker", of::<Breaker>(), &[]));
    let order = Operation::new("orderBreaker", "Gives the breaker an order; needs `Admin`")
        .token()
        .body::<Order>(json!({ "mode": "auto" }))
        .answers(200, answers::json("The breaker after it", of::<Breaker>(), &[]));
    let warm = Operation::new("warmCache", "Fills the cache with what landlords ask for first; needs `Admin`")
        .token()
        .takes(schemas::warm_order(), json!({ "activeWithinHours": 24, "limit": 250, "ratePerSecond": 50 }))
        .errors(&[409])
        .answers(200, answers::json("What was done, and where to go on", of::<Warmed>(), &[]));
    let verify = Operation::new("verifyCache", "Compares a sample of the cache with PostgreSQL; needs `Admin`")
        .token()
        .takes(schemas::verify_order(), json!({ "sample": 100 }))
        .errors(&[409])
        .answers(200, answers::json("What was found; what was not the same is deleted", of::<Verified>(), &[]));
    let document =
        Operation::new("openapi", "This document").open().answers(200, answers::json("OpenAPI 3.1", any_object(), &[]));
    let metrics = Operation::new("metrics", "Counts and gauges, for Prometheus")
        .open()
        .errors(&[503])
        .answers(200, text("In Prometheus's text format"));
    let live = Operation::new("livez", "Whether the process lives").open().answers(200, text("It does"));
    let ready = Operation::new("readyz", "Whether requests can be answered")
        .open()
        .errors(&[503])
        .answers(200, text("They can"));
    [
        ("/api/health", item(SERVICE, [(HttpMethod::Get, health)])),
        ("/api/cache", item(CACHE, [(HttpMethod::Delete, purge)])),
        ("/api/cache/drain", item(CACHE, [(HttpMethod::Post, drain)])),
        ("/api/cache/breaker", item(CACHE, [(HttpMethod::Get, breaker), (HttpMethod::Put, order)])),
        ("/api/cache/warm", item(CACHE, [(HttpMethod::Post, warm)])),
        ("/api/cache/verify", item(CACHE, [(HttpMethod::Post, verify)])),
        ("/api/openapi.json", item(SERVICE, [(HttpMethod::Get, document)])),
        ("/metrics", item(SERVICE, [(HttpMethod::Get, metrics)])),
        ("/livez", item(SERVICE, [(HttpMethod::Get, live)])),
        ("/readyz", item(SERVICE, [(HttpMethod::Get, ready)])),
    ]
}

fn property_example() -> Value {
    json!({ "address": "1 High St", "suburb": "Newtown", "weeklyRentAmount": 450.5, "leaseStartDate": "2026-01-01T00:00:00Z" })
}

fn payment_example() -> Value {
    json!({ "amount": 450.5, "paymentDate": "2026-01-01T00:00:00Z", "paymentMethod": "Cash", "notes": "January" })
}

fn item<const N: usize>((tag, _): (&str, &str), operations: [(HttpMethod, Operation); N]) -> PathItem {
    let mut item = PathItem::default();
    for (method, operation) in operations {
        // `*` is a condition on anything that is there; what is read is answered on it.
        let operation = match method {
            HttpMethod::Get => operation.answers(304, empty("The client has it", &[])).errors(&[412]),
            _ => operation,
        };
        let mut operation = operation.0.tag(tag).build();
        let takes_token = operation.security.iter().flatten().any(|it| *it != SecurityRequirement::default());
        if takes_token {
            session::join(&mut operation);
        }
        item.merge_operations(PathItem::new(method, operation));
    }
    item
}

fn any_object() -> RefOr<Schema> {
    RefOr::T(utoipa::openapi::Object::with_type(Type::Object).into())
}

/// An operation under construction, with what every one has.
struct Operation(OperationBuilder);

impl Operation {
    fn new(id: &str, summary: &str) -> Self {
        Self(OperationBuilder::new().operation_id(Some(id)).summary(Some(summary))).errors(&ALWAYS)
    }

    fn errors(self, statuses: &[u16]) -> Self {
        statuses.iter().fold(self, |operation, status| operation.answers(*status, problem(*status)))
    }

    fn answers(self, status: u16, answer: RefOr<Response>) -> Self {
        Self(self.0.response(status.to_string(), answer))
    }

    /// Needs no token. It is said, as a document that says nothing may have forgotten it.
    fn open(self) -> Self {
        Self(self.0.securities(Some([])))
    }

    /// Tells more to those who have a token.
    fn token_optional(self) -> Self {
        Self(self.0.securities(Some([SecurityRequirement::default(), SecurityRequirement::new(SCHEME, [""; 0])])))
    }

    fn token(self) -> Self {
        Self(self.0.security(SecurityRequirement::new(SCHEME, [""; 0]))).errors(&WITH_TOKEN)
    }

    /// The path names things by these ids. What is no UUID names nothing.
    fn ids(self, names: &[&str]) -> Self {
        let named = names.iter().fold(self.0, |operation, name| {
            let id = ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
            let parameter =
                ParameterBuilder::new().name(*name).parameter_in(ParameterIn::Path).required(Required::True);
            operation.parameter(parameter.schema(Some(id)))
        });
        Self(named).errors(&[404, 503])
    }

    fn optional(self, place: ParameterIn, name: &str, description: &str, schema: ObjectBuilder) -> Self {
        self.parameter(place, name, Required::False, description, schema)
    }

    fn required(self, place: ParameterIn, name: &str, description: &str, schema: ObjectBuilder) -> Self {
        self.parameter(place, name, Required::True, description, schema)
    }

    fn parameter(
        self,
        place: ParameterIn,
        name: &str,
        required: Required,
        description: &str,
        schema: ObjectBuilder,
    ) -> Self {
        let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
        Self(self.0.parameter(parameter.description(Some(description)).schema(Some(schema))))
    }

    /// May be sent again under a key, and is done once.
    fn once(self) -> Self {
        let key = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(257));
        self.optional(
            ParameterIn::Header,
            "Idempotency-Key",
            "1 to 255 visible ASCII characters, bare or in quotation marks: sent again with the same key and body within 24 \
            hours, the request is done once and gets its first answer again",
            key,
        )
        .errors(&[400, 409, 412, 422])
    }

    /// The parameters of a list.
    fn list(self, sort: &str) -> Self {
        let of = |kind: Type| ObjectBuilder::new().schema_type(kind);
        self.optional(ParameterIn::Query, "pageNumber", "From 1; less is 1", of(Type::Integer))
            .optional(ParameterIn::Query, "pageSize", "10 unless it is positive, and at most 50", of(Type::Integer))
            .optional(ParameterIn::Query, "searchTerm", "What to look for", of(Type::String).max_length(Some(500)))
            .optional(ParameterIn::Query, "sortField", sort, of(Type::String))
            .optional(ParameterIn::Query, "sortDescending", "Whether from large to small", of(Type::Boolean))
            .errors(&[400, 503])
    }

    /// The parameter that asks for a list's pages by keyset.
    fn after(self) -> Self {
        self.optional(
            ParameterIn::Query,
            "after",
            "Pages by keyset in place of `pageNumber`: empty for the first, then the `nextCursor` of the one before; not with \
            `sortField=notes`",
            ObjectBuilder::new().schema_type(Type::String),
        )
    }

    /// Has conditions, which are evaluated in the order of RFC 9110 (13.2.2).
    fn conditional(self, if_match: &str, if_none_match: &str) -> Self {
        let tags = || ObjectBuilder::new().schema_type(Type::String);
        self.optional(ParameterIn::Header, "If-Match", if_match, tags()).optional(
            ParameterIn::Header,
            "If-None-Match",
            if_none_match,
            tags(),
        )
    }

    /// Answers 304 to a client that has it already.
    fn tagged(self) -> Self {
        self.conditional("The ETags that the client wants: 412 for any other", "The ETags that the client has: 304")
    }

    /// Replaces a version that the client can name.
    fn version(self) -> Self {
        self.conditional("The ETag of the version that is replaced", "ETags of versions that are not replaced: 412")
            .errors(&WITH_VERSION)
    }

    fn body<T: ToSchema>(self, example: Value) -> Self {
        self.takes(of::<T>(), example)
    }

    /// A body of this schema.
    fn takes(self, schema: RefOr<Schema>, example: Value) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
        let body = RequestBodyBuilder::new().required(Some(Required::True)).content("application/json", content);
        Self(self.0.request_body(Some(body.build()))).errors(&WITH_BODY).errors(&[503])
    }
}
