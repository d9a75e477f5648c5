//! What the components `console` and `docs` do: they answer with files that are built into them.

use super::wire::{Outcome, Request, hand_over};
use rental::http::Site;

/// Answers a request for a file of `site`.
///
/// # Errors
/// Only the platform's.
pub fn serve_site(request: Request, site: &Site) -> Outcome {
    hand_over(site.answer(&request.parts, request.checked))
}
