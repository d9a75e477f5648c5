-- Why: the outbox. Every write inserts what it invalidates here, in the statement that changes the row: the intent to
-- invalidate commits with the change or not at all. The row goes once Redis has been told.

CREATE TABLE cache_invalidations (
    tenant_id text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    -- Names of cache keys behind `{instance}{tenant}:`, as components/shared/src/cache/key.rs spells them.
    resources text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id)
);

-- Draining starts with the oldest.
CREATE INDEX cache_invalidations_age ON cache_invalidations (created_at);
