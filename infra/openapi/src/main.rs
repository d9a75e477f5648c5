//! Writes `components/ops/openapi.json`, the OpenAPI 3.1 document that `GET /api/openapi.json` answers with: the schemas are
//! those of the types that the components read and write, the operations are in `operations.rs`. `cargo xtask openapi`
//! runs it; the tests hold the file to the code, and the document to the routes.

mod answers;
mod operations;
mod schemas;
mod session;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, ServerBuilder};

const FILE: &str = "components/ops/openapi.json";

/// What holds for every operation.
const DESCRIPTION: &str = "RentTracker's properties and rent payments, answered at the edge. \
    Every path answers HEAD as GET without the body, and OPTIONS (CORS); one trailing slash is the same path. \
    Names of members in a request match in any case, unknown members and parameters are ignored, and of a parameter given \
    twice the first counts. A member given twice, a NUL character and what is no UTF-8 are refused with 400. \
    A path is at most 2 KiB, a query 8 KiB, the headers 64 and 32 KiB, a body 1 MiB, 32 levels deep with 65,536 values. \
    What belongs to another landlord does not exist: 404.";

fn main() -> Result<()> {
    let path = file();
    std::fs::write(&path, text()?).with_context(|| format!("cannot write {}", path.display()))
}

fn file() -> PathBuf {
    stack::repository_root().join(FILE)
}

/// The bounds of money, as the document would have them and as they are: no binary float is exactly one of them.
const BOUNDS: [(&str, &str); 2] = [
    ("\"minimum\": -10000000000000000\n", "\"minimum\": -9999999999999999.99\n"),
    ("\"maximum\": 10000000000000000,\n", "\"maximum\": 9999999999999999.99,\n"),
];

fn text() -> Result<String> {
    let mut bytes = Vec::new();
    // One space a level: reviewed as text, and part of a component.
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b" "));
    document().serialize(&mut writer)?;
    let mut text = String::from_utf8(bytes)? + "\n";
    for (rounded, exact) in BOUNDS {
        ensure!(text.matches(rounded).count() == 1, "the document does not say {rounded:?} once");
        text = text.replace(rounded, exact);
    }
    Ok(text)
}

fn document() -> OpenApi {
    let bearer = SecurityScheme::Http(
        Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A landlord's token"))
            .build(),
    );
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas::all())
        .responses_from_iter(answers::problems())
        .parameter(session::COMPONENT, session::parameter())
        .header(session::COMPONENT, session::header())
        .security_scheme(operations::SCHEME, bearer)
        .build();
    let info = InfoBuilder::new()
        .title("RentTracker Edge")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let tags = operations::TAGS.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/").description(Some("Where this document comes from")).build()]))
        .tags(Some(tags))
        .paths(operations::all())
        .components(Some(components))
        .build()
}

#[cfg(test)]
mod tests;
