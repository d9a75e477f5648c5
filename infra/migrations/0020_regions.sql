-- Why: in several regions each Redis has to learn of the writes of all. So the outbox is a log as well: a row stays until every
-- region has read it. Regions are what SCALING.md calls them; without one (`region` is not set) nothing registers, and rows go as
-- before. infra/deploy/SCALING.md has the rules, and what goes wrong without each.

-- A row's order is that of its transaction. Neither a sequence nor a time will do: both are given before the commit, and what has the
-- lower may be seen later than what has the higher. (Each row that is there gets this transaction's.)
ALTER TABLE cache_invalidations ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX cache_invalidations_order ON cache_invalidations (xid, tenant_id, id);

CREATE TABLE log_regions (
    -- `redis_instance_name`.
    namespace text COLLATE "C" NOT NULL CHECK (namespace ~ '^[A-Za-z0-9_.-]{1,64}$'),
    region text COLLATE "C" NOT NULL CHECK (region ~ '^[a-z0-9-]{1,16}$'),
    -- Which registration it is: when it was made, in microseconds.
    generation bigint NOT NULL,
    -- Everything below is over and worked off.
    cursor xid8 NOT NULL,
    -- When it last read the log. 60 s later it must register anew; 90 s later no row is kept for it. The one is decided by the
    -- region while it holds this row, the other by anybody.
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (namespace, region)
);

-- Registers a region; its generation. It commits before the region reads the log, and the cache begins empty: what is committed by
-- then may be cleared away already, and what commits later is kept.
CREATE FUNCTION register_region(for_namespace text, for_region text) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Rows of a restored dump have the numbers of another server.
    WITH renumbered AS (
        UPDATE cache_invalidations SET xid = pg_current_xact_id() WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())
    )
    INSERT INTO log_regions AS r (namespace, region, generation, cursor, seen_at)
    VALUES (for_namespace, for_region, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
        pg_snapshot_xmin(pg_current_snapshot()), clock_timestamp())
    ON CONFLICT (namespace, region) DO UPDATE
    SET generation = greatest(excluded.generation, r.generation + 1), seen_at = excluded.seen_at,
        -- What has been kept for it is kept until it has read: there may be fences of these writes in its Redis.
        cursor = CASE WHEN r.seen_at >= clock_timestamp() - interval '60 s' THEN least(r.cursor, excluded.cursor)
            ELSE excluded.cursor END
    RETURNING generation
$$;

-- A page of the log: what the snapshot `known_snapshot` does not show, behind the row `after_…` of the page before, in one snapshot; one
-- row at least. No row for a region that is not registered (any more), or where this is another database than the one that it has read
-- before, or another run of its server, which may have gone back.
CREATE FUNCTION read_log(
    for_namespace text,
    for_region text,
    for_generation bigint,
    -- NULL: the region has worked off nothing since it registered. Then it begins at its cursor.
    known_lineage text,
    known_snapshot text,
    -- NULL on the first page.
    after_xid text,
    after_tenant text,
    after_id text,
    at_most bigint
)
    RETURNS TABLE (
        lineage text,
        -- WAL positions before the snapshot, and behind it.
        before_snapshot bigint,
        behind_snapshot bigint,
        snapshot text,
        -- NULL where there is no row.
        xid text,
        tenant_id text,
        id text,
        resources text[]
    )
    -- VOLATILE: each statement sees anew.
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    now_lineage text := (SELECT l.database_id || '/' || l.run FROM database_lineage() AS l);
    known pg_snapshot := known_snapshot::pg_snapshot;
    begins xid8;
    wal_before bigint;
BEGIN
    IF now_lineage IS NULL OR now_lineage LIKE 'hidden/%' THEN
        RAISE feature_not_supported USING MESSAGE = 'regions need a server that shows its WAL positions';
    END IF;
    -- The numbers of another database mean nothing here.
    IF now_lineage <> known_lineage THEN
        RETURN;
    END IF;
    UPDATE log_regions AS r SET cursor = greatest(r.cursor, pg_snapshot_xmin(known)), seen_at = clock_timestamp()
    WHERE r.namespace = for_namespace AND r.region = for_region AND r.generation = for_generation
        AND r.seen_at >= clock_timestamp() - interval '60 s'
    RETURNING r.cursor INTO begins;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    wal_before := pg_current_wal_insert_lsn() - '0/0'::pg_lsn;
    RETURN QUERY
    SELECT now_lineage, wal_before, (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint, pg_current_snapshot()::text,
        page.xid::text, page.tenant_id, page.id::text, page.resources
    FROM (SELECT) AS once LEFT JOIN (
        SELECT c.xid, c.tenant_id, c.id, c.resources FROM cache_invalidations c
        WHERE c.xid >= coalesce(pg_snapshot_xmin(known), begins) AND (known IS NULL OR NOT pg_visible_in_snapshot(c.xid, known))
            AND (after_id IS NULL OR (c.xid, c.tenant_id, c.id) > (after_xid::xid8, after_tenant, after_id::uuid))
        ORDER BY c.xid, c.tenant_id, c.id LIMIT at_most
    ) AS page ON true;
    IF after_id IS NULL THEN
        -- In one statement, whose snapshot shows every region that registered before a row that it removes was committed.
        DELETE FROM cache_invalidations WHERE (tenant_id, id) IN (
            SELECT c.tenant_id, c.id FROM cache_invalidations c
            WHERE c.xid < (
                SELECT min(r.cursor) FROM log_regions r WHERE r.seen_at >= clock_timestamp() - interval '90 s'
            )
            ORDER BY c.xid LIMIT 10000 FOR UPDATE SKIP LOCKED
        );
    END IF;
END
$$;

-- How far this server shows the history of the database to the statement that asks: which run of which server it is, its timeline ('-'
-- at a standby), a WAL position behind the statement's snapshot, the transaction that it writes in (0: none), the registration of the
-- region that it shows (0: none), the snapshot. components/shared/cache/src/region/progress.rs reads it. STABLE: it has the snapshot of
-- its caller.
CREATE FUNCTION read_progress(for_namespace text DEFAULT NULL, for_region text DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    -- A server recovers anew, and may show less for a while, when one of its processes has crashed: its statistics begin anew then.
    server bigint := hashtextextended(concat(pg_postmaster_start_time(), (SELECT b.stats_reset FROM pg_stat_bgwriter b)), 0)
        & 9223372036854775807;
    generation bigint := coalesce((SELECT r.generation FROM log_regions r
        WHERE r.namespace = for_namespace AND r.region = for_region), 0);
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN concat_ws(' ', server, '-', coalesce(pg_last_wal_replay_lsn() - '0/0'::pg_lsn, 0), 0, generation,
            pg_current_snapshot());
    END IF;
    RETURN concat_ws(' ', server, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
        pg_current_wal_insert_lsn() - '0/0'::pg_lsn, coalesce(pg_current_xact_id_if_assigned()::text, '0'), generation,
        pg_current_snapshot());
END
$$;

-- The writes of this tenant that may have committed and not be seen yet.
CREATE FUNCTION writes_in_progress_of(for_tenant text) RETURNS text[]
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT ARRAY(SELECT w.transaction FROM writes_in_progress() AS w
        WHERE w.tenant_hash = lpad(to_hex(write_lock_key(for_tenant)), 8, '0'))
$$;

-- As in 0007_row_level_security.sql. Rows that regions have not read stay.
CREATE OR REPLACE FUNCTION outbox_remove(tenants text[], ids text[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    gone bigint;
BEGIN
    IF EXISTS (SELECT FROM log_regions r WHERE r.seen_at >= clock_timestamp() - interval '90 s') THEN
        RAISE object_not_in_prerequisite_state
            USING MESSAGE = 'regions read the outbox: every host needs the variable region';
    END IF;
    DELETE FROM cache_invalidations WHERE (tenant_id, id) IN (
        SELECT tenant_id, id FROM cache_invalidations
        WHERE (tenant_id, id) IN (SELECT * FROM unnest(tenants, ids::uuid[]))
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;

REVOKE ALL ON log_regions FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION register_region(text, text), read_log(text, text, bigint, text, text, text, text, text, bigint),
    read_progress(text, text), writes_in_progress_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION register_region(text, text), read_log(text, text, bigint, text, text, text, text, text, bigint),
    read_progress(text, text), writes_in_progress_of(text) TO renttracker_app;
