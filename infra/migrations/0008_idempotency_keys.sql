-- Why: a POST that is sent again, because its answer was lost, must not be done again. A key that a client chose is kept
-- for 24 hours with what the POST made, in the statement that made it: both are there or neither is.

CREATE TABLE idempotency_keys (
    tenant_id text COLLATE "C" NOT NULL CHECK (tenant_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    key text COLLATE "C" NOT NULL CHECK (key ~ '^[!-~]{1,255}$'),
    -- SHA-256 of the request, in hexadecimal: the same key on another request is a client's mistake.
    request text COLLATE "C" NOT NULL CHECK (request ~ '^[0-9a-f]{64}$'),
    -- The rows that the answer was made of, as they were.
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, key)
);

-- Removal starts with the oldest.
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_keys ON idempotency_keys TO renttracker_app
    USING (tenant_id = current_setting('renttracker.tenant', true));
GRANT SELECT, DELETE ON idempotency_keys TO renttracker_app;
GRANT INSERT (tenant_id, key, request, answer) ON idempotency_keys TO renttracker_app;

-- Claims a key for the rest of the caller's transaction. `is_free`: nobody has used it, go on. A `known_request`: it was
-- used, for this request and with this answer. Neither: somebody is using it at this moment.
--
-- A function, because each of its statements sees anew. A caller's own statement sees the rows of its start, and would miss
-- a key whose holder committed between that start and the lock. Nobody waits here: a second request that comes while the
-- first is under way is told so.
CREATE FUNCTION claim_idempotency_key(
    for_tenant text,
    wanted text,
    OUT is_free boolean,
    OUT known_request text,
    OUT known_answer jsonb
)
    LANGUAGE plpgsql
AS $$
BEGIN
    is_free := true;
    IF wanted IS NULL THEN
        RETURN;
    END IF;
    -- Held until the transaction ends, and with it the request that uses the key for the first time.
    is_free := pg_try_advisory_xact_lock(hashtextextended(wanted, hashtextextended(for_tenant, 0)));
    SELECT k.request, k.answer INTO known_request, known_answer FROM idempotency_keys k
    WHERE k.tenant_id = for_tenant AND k.key = wanted AND k.created_at > clock_timestamp() - interval '24 hours';
    IF FOUND THEN
        is_free := false;
    ELSIF is_free THEN
        -- One that has run out makes room.
        DELETE FROM idempotency_keys k WHERE k.tenant_id = for_tenant AND k.key = wanted;
    END IF;
END
$$;

-- Removes keys that have run out, of all tenants, the oldest first; how many.
CREATE FUNCTION remove_expired_idempotency_keys(at_most bigint) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM idempotency_keys WHERE (tenant_id, key) IN (
            SELECT tenant_id, key FROM idempotency_keys WHERE created_at <= clock_timestamp() - interval '24 hours'
            ORDER BY created_at LIMIT at_most FOR UPDATE SKIP LOCKED
        )
        RETURNING key
    )
    SELECT count(*) FROM gone
$$;

REVOKE EXECUTE ON FUNCTION claim_idempotency_key(text, text), remove_expired_idempotency_keys(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_idempotency_key(text, text), remove_expired_idempotency_keys(bigint)
    TO renttracker_app;

-- The new table is one more that must be bound.
CREATE OR REPLACE FUNCTION row_level_security_holds() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT bool_and(row_security_active(name::regclass))
    FROM unnest(ARRAY['properties', 'payments', 'payment_methods', 'cache_invalidations', 'idempotency_keys']) AS name
$$;
