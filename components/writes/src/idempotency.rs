//! The common table expressions of a POST that may be sent again. Its key is `$key` and the digest of its request the
//! parameter after that; `shared::http::Idempotency` makes both.

/// `claim`, one row: what the key turned out to be. Whatever changes something must depend on its `is_free`.
pub fn claim(key: usize) -> String {
    format!("claim AS MATERIALIZED (SELECT * FROM claim_idempotency_key($1, ${key}))")
}

/// `kept`: the key with `answer`, the rows that the answer is made of as a JSON expression over `made`, which has a row
/// only if something was made. What was refused is not kept, and may be sent again with the same key.
pub fn kept(key: usize, answer: &str, made: &str) -> String {
    let request = key + 1;
    format!(
        "kept AS (
            INSERT INTO idempotency_keys (tenant_id, key, request, answer)
            SELECT $1, ${key}, ${request}, {answer} FROM {made} WHERE ${key}::text IS NOT NULL
        )"
    )
}

/// A query of the row of `table` that was kept, from the member `part` of the answer: none unless this very request was
/// sent before.
pub fn known(key: usize, table: &str, part: &str) -> String {
    let request = key + 1;
    format!(
        "SELECT known.* FROM claim, jsonb_populate_record(NULL::{table}, claim.known_answer -> '{part}') AS known
            WHERE claim.known_request = ${request}"
    )
}
