//! The operators' console under `/console`: a page that shows how the service is, and sends orders to the cache. It is files that are
//! built in; what it shows and orders it asks the API for, in the browser, with the operator's own token.

// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

use platform::http::serve_site;
use platform::http::wire::{Outcome, Request};
use rental::http::Site;

include!(concat!(env!("OUT_DIR"), "/files.rs"));

const SITE: Site = Site {
    root: "/console",
    index: "console.html",
    // Scripts, styles and requests of this origin alone. No form is ever sent by the browser: scripts send orders.
    policy: "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    files: FILES,
};

platform::http_component!(handle);

async fn handle(request: Request) -> Outcome {
    serve_site(request, &SITE)
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    /// The whole console may have 150 KB; of these the chart library takes 54 (`tests/browser` counts what is served).
    const OWN_BYTES: usize = 96_000;

    #[test]
    fn the_console_is_small() {
        let bytes: usize = FILES.iter().map(|file| file.body.len()).sum();
        assert!(bytes <= OWN_BYTES, "{bytes} bytes");
    }

    /// What a page and its scripts name is there, and is of this site.
    #[test]
    fn each_file_that_is_named_is_built_in() {
        let package = include_str!("../package.json");
        let mut named = Vec::new();
        for file in FILES {
            let text = str::from_utf8(file.body).expect("text");
            for begins in ["src=\"/console/", "href=\"/console/", "from './", "import './"] {
                named.extend(text.split(begins).skip(1).filter_map(|rest| rest.split(['"', '\'']).next()));
            }
        }
        assert!(named.len() > 5, "{named:?}");
        for name in named {
            let is_ours = FILES.iter().any(|file| file.name == name);
            assert!(is_ours || package.contains(&format!("/{name}\"")), "{name} is not built in");
        }
    }
}
