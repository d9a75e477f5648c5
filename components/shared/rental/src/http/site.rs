//! Files that a component has built in, and how they are answered: pages, scripts, styles.

use super::precondition::next_element;
use super::{Answer, problem};
use crate::error::Error;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

/// The methods that a file has.
const ALLOWED: &str = "GET, HEAD";
/// Names stay the same from one release to the next, so that a browser asks each time whether its copy is the current one.
const CACHING: HeaderValue = HeaderValue::from_static("no-cache");

/// A file.
#[derive(Debug)]
pub struct File {
    /// Its path below that of the site.
    pub name: &'static str,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// A strong tag, with its quotation marks.
    pub etag: &'static str,
    /// What is in it.
    pub body: &'static [u8],
}

/// The files below a path.
#[derive(Debug)]
pub struct Site {
    /// The path, without a slash at its end. It is the first page too.
    pub root: &'static str,
    /// The name of the first page.
    pub index: &'static str,
    /// `Content-Security-Policy` of each answer.
    pub policy: &'static str,
    /// All files.
    pub files: &'static [File],
}

impl Site {
    /// Answers a request for a file, whose head was `checked`. The answer is complete.
    pub fn answer(&self, request: &Parts, checked: Result<(), Error>) -> Answer {
        let found = checked.and_then(|()| self.find(request));
        let mut answer = match found {
            Ok(file) if is_known(&request.headers, file.etag) => {
                Answer::empty(StatusCode::NOT_MODIFIED).with(header::ETAG, file.etag)
            }
            Ok(file) => {
                let mut answer = Answer::empty(StatusCode::OK)
                    .with(header::CONTENT_TYPE, file.content_type)
                    .with(header::ETAG, file.etag);
                answer.body = file.body.to_vec();
                answer
            }
            Err(error) => problem(&error, request.uri.path()),
        };
        self.finish(&mut answer);
        answer
    }

    fn find(&self, request: &Parts) -> Result<&File, Error> {
        let name = match request.uri.path().strip_prefix(self.root) {
            Some("" | "/") => self.index,
            Some(rest) => rest.strip_prefix('/').ok_or(Error::NotFound)?,
            None => return Err(Error::NotFound),
        };
        let file = self.files.iter().find(|file| file.name == name).ok_or(Error::NotFound)?;
        if matches!(request.method, Method::GET | Method::HEAD) {
            Ok(file)
        } else {
            Err(Error::MethodNotAllowed(ALLOWED))
        }
    }

    fn finish(&self, answer: &mut Answer) {
        let headers = &mut answer.headers;
        let is_error = answer.status.is_client_error();
        headers.insert(header::CACHE_CONTROL, if is_error { HeaderValue::from_static("no-store") } else { CACHING });
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(self.policy));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        // No page of another origin may load a file, or keep a window of this one.
        let same_origin = HeaderValue::from_static("same-origin");
        headers.insert(HeaderName::from_static("cross-origin-resource-policy"), same_origin.clone());
        headers.insert(HeaderName::from_static("cross-origin-opener-policy"), same_origin);
        if answer.status != StatusCode::NOT_MODIFIED {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
        }
    }
}

/// Whether `If-None-Match` has the tag, which it compares weakly (RFC 9110, 13.1.2).
fn is_known(request: &HeaderMap, etag: &str) -> bool {
    request.get_all(header::IF_NONE_MATCH).iter().any(|line| {
        let mut rest = line.as_bytes();
        while let Some((element, behind)) = next_element(rest) {
            rest = behind;
            let tag = element.strip_prefix(b"W/").unwrap_or(element);
            if element == b"*" || tag == etag.as_bytes() {
                return true;
            }
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: Site = Site {
        root: "/console",
        index: "index.html",
        policy: "default-src 'none'",
        files: &[
            File { name: "index.html", content_type: "text/html; charset=utf-8", etag: "\"a1\"", body: b"<p>" },
            File { name: "main.js", content_type: "text/javascript", etag: "\"b,2\"", body: b"run()" },
        ],
    };

    fn answer(method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request =
            headers.iter().fold(http::Request::builder().method(method).uri(path), |request, (name, value)| {
                request.header(*name, *value)
            });
        SITE.answer(&request.body(()).expect("a request").into_parts().0, Ok(()))
    }

    #[test]
    fn the_first_page_is_at_the_root_and_at_its_own_name() {
        for path in ["/console", "/console/", "/console/index.html", "/console?x=1"] {
            let answer = answer("GET", path, &[]);
            assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::OK, b"<p>".as_slice()), "{path}");
            assert_eq!(answer.headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{path}");
        }
    }

    #[test]
    fn a_path_that_is_no_file_is_404() {
        for path in
            ["/", "/consoles", "/console//", "/console/main", "/console/a/../main.js", "/console/MAIN.JS", "/main.js"]
        {
            let answer = answer("GET", path, &[]);
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{path}");
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store", "{path}");
        }
    }

    #[test]
    fn a_file_is_read_and_nothing_else() {
        assert_eq!(answer("HEAD", "/console/main.js", &[]).status, StatusCode::OK);
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let refused = answer(method, "/console/main.js", &[]);
            assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
            assert_eq!(refused.headers[header::ALLOW], "GET, HEAD");
            assert_eq!(answer(method, "/console/none.js", &[]).status, StatusCode::NOT_FOUND, "{method}");
        }
    }

    #[test]
    fn a_copy_that_is_current_is_not_sent_again() {
        for tags in ["\"b,2\"", "W/\"b,2\"", "\"a1\", \"b,2\"", "*"] {
            let answer = answer("GET", "/console/main.js", &[("if-none-match", tags)]);
            assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{tags}");
            assert!(answer.body.is_empty() && !answer.headers.contains_key(header::CONTENT_LENGTH), "{tags}");
            assert_eq!(answer.headers[header::ETAG], "\"b,2\"", "{tags}");
        }
        for tags in ["\"a1\"", "b,2", "\"b\"", ""] {
            assert_eq!(answer("GET", "/console/main.js", &[("if-none-match", tags)]).status, StatusCode::OK, "{tags}");
        }
    }

    #[test]
    fn each_answer_says_what_a_page_may_do() {
        let unchanged = [("if-none-match", "*")];
        for answer in [
            answer("GET", "/console", &[]),
            answer("GET", "/console", &unchanged),
            answer("POST", "/console", &[]),
            answer("GET", "/console/none", &[]),
        ] {
            for (name, value) in [
                ("content-security-policy", "default-src 'none'"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-resource-policy", "same-origin"),
                ("cross-origin-opener-policy", "same-origin"),
            ] {
                assert_eq!(answer.headers[name], value, "{}", answer.status);
            }
        }
        assert_eq!(answer("GET", "/console", &[]).headers[header::CONTENT_LENGTH], "3");
    }
}
