//! The token of a session: what needs or takes a bearer token may bring it, and its answers tell it.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Header, Ref, RefOr, Required};

/// Of request and answer.
pub const NAME: &str = "RentTracker-Session";
/// The header and the parameter among the components.
pub const COMPONENT: &str = "Session";

/// What a request brings.
pub fn parameter() -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String);
    ParameterBuilder::new()
        .name(NAME)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "The token of the last answer, or up to 32 of them, separated by commas: the answer shows what those have shown. \
            What is no token of the landlord is ignored",
        ))
        .schema(Some(text))
        .build()
}

/// What an answer tells.
pub fn header() -> Header {
    HeaderBuilder::new()
        .description(Some(
            "What the landlord's session has seen, where the service runs in several regions: opaque, and signed",
        ))
        .build()
}

/// What an answer refers to.
pub fn told() -> Ref {
    Ref::new(format!("#/components/headers/{COMPONENT}"))
}

/// Makes an operation with a bearer token part of a session.
pub fn join(operation: &mut Operation) {
    let parameter = Ref::new(format!("#/components/parameters/{COMPONENT}"));
    operation.parameters.get_or_insert_default().push(RefOr::Ref(parameter));
    for answer in operation.responses.responses.values_mut() {
        if let RefOr::T(answer) = answer {
            answer.headers.insert(NAME.into(), RefOr::Ref(told()));
        }
    }
}
