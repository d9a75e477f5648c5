-- Why: a LIMIT in a subquery of DELETE holds for one run of the subquery. PostgreSQL may join it by a nested loop, which runs it
-- anew for each row outside; FOR UPDATE SKIP LOCKED passes over what this very statement has deleted, and so each run finds
-- the next rows: `remove_expired_idempotency_keys(10)` could remove 50. A common table expression that is MATERIALIZED runs
-- once.

-- Removes keys that have run out, of all tenants, the oldest first; how many.
CREATE OR REPLACE FUNCTION remove_expired_idempotency_keys(at_most bigint) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH expired AS MATERIALIZED (
        SELECT tenant_id, key FROM idempotency_keys WHERE created_at <= clock_timestamp() - interval '24 hours'
        ORDER BY created_at LIMIT at_most FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM idempotency_keys k USING expired e WHERE k.tenant_id = e.tenant_id AND k.key = e.key RETURNING k.key
    )
    SELECT count(*) FROM gone
$$;
