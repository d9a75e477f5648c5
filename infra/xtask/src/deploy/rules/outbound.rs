//! What is sent to others: to the webhook, and to the backend behind us.

use super::{Address, Findings, HTTP_PORT, HTTPS_PORT, Settings, same_endpoint};

/// What the breaker's changes are told to.
pub fn webhook(settings: &Settings, found: &mut Findings) {
    let url = settings.variable("alert_webhook_url");
    if Address::parse(url).is_some_and(|it| it.scheme() == "http" && it.is_off_host()) {
        found.add("alert_webhook_url", "carries its secret address to another machine without TLS", "use https://");
    }
}

/// What is passed on has landlords' tokens and passwords.
pub fn origin(settings: &Settings, found: &mut Findings) {
    let Some(address) = Address::parse(settings.variable("origin_url")) else {
        return;
    };
    if address.scheme() == "http" && address.is_off_host() {
        found.add("origin_url", "passes tokens and passwords on to another machine without TLS", "use https://");
    }
    if settings.variable("origin_address").is_empty() {
        found.add(
            "origin_address",
            "is not set, so that the backend cannot be reached",
            "set it to scheme://host[:port]",
        );
    }
    let port = if address.scheme() == "https" { HTTPS_PORT } else { HTTP_PORT };
    same_endpoint(settings, "origin_address", &address, port, found);
}
