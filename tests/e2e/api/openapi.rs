//! The OpenAPI document, as it is served.

use crate::support::{trials, world};

trials![the_document_is_served_to_everyone_as_it_is_committed, the_document_has_the_paths_and_headers_of_the_others];

fn the_document_is_served_to_everyone_as_it_is_committed() {
    let committed = std::fs::read(stack::repository_root().join("components/ops/openapi.json")).expect("the document");
    for answer in [world().get("/api/openapi.json"), world().tenant().get("/api/openapi.json/")] {
        assert!(answer.clone().is(200).body == committed, "not what is committed: {answer}");
        assert_eq!(answer.needs("content-type"), "application/json");
        assert_eq!(answer.json()["openapi"], "3.1.0");
    }
}

fn the_document_has_the_paths_and_headers_of_the_others() {
    let answer = world().request("HEAD", "/api/openapi.json").send().is(200);
    assert_eq!(answer.list("cache-control"), ["no-cache", "private"], "{answer}");
    world().request("PUT", "/api/openapi.json").send().problem(405);
    world().get("/api/openapi.json/x").problem(404);
}
