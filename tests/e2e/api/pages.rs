//! The pages: files of the components `console` and `docs`, which ask for nothing themselves.

use crate::support::{trials, world};

trials![
    each_page_is_served_to_everybody_with_a_policy,
    a_page_that_is_current_is_not_sent_again,
    a_page_is_read_and_nothing_else,
    what_is_no_file_of_a_page_is_not_found,
];

const PAGES: [&str; 2] = ["/console", "/docs"];

fn each_page_is_served_to_everybody_with_a_policy() {
    for page in PAGES {
        for path in [page.to_owned(), format!("{page}/")] {
            for method in ["GET", "HEAD"] {
                let answer = world().request(method, &path).send_unchecked().is(200);
                assert_eq!(answer.needs("content-type"), "text/html; charset=utf-8", "{answer}");
                assert_eq!(answer.needs("cache-control"), "no-cache", "{answer}");
                assert_eq!(answer.needs("x-content-type-options"), "nosniff", "{answer}");
                assert_eq!(answer.needs("referrer-policy"), "no-referrer", "{answer}");
                let policy = answer.needs("content-security-policy");
                for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
                    assert!(policy.contains(part), "{answer}");
                }
                assert!(!policy.contains("unsafe"), "{answer}");
                assert_eq!(method == "HEAD", answer.text().is_empty(), "{answer}");
            }
        }
    }
}

fn a_page_that_is_current_is_not_sent_again() {
    for page in PAGES {
        let tag = world().request("GET", page).send_unchecked().is(200).needs("etag");
        let again = world().request("GET", page).header("If-None-Match", &tag).send_unchecked().is(304);
        assert_eq!(again.needs("etag"), tag);
        world().request("GET", page).header("If-None-Match", "\"other\"").send_unchecked().is(200);
    }
}

fn a_page_is_read_and_nothing_else() {
    for page in PAGES {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = world().request(method, page).send_unchecked();
            answer.problem(405);
            assert_eq!(answer.needs("allow"), "GET, HEAD", "{answer}");
        }
    }
}

fn what_is_no_file_of_a_page_is_not_found() {
    for path in ["/console/nothing.js", "/docs/nothing", "/console/..%2fmetrics", "/docs/swagger-ui-bundle.js/x"] {
        let answer = world().request("GET", path).send_unchecked();
        answer.problem(404);
    }
}
