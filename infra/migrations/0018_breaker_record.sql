-- Why: the breaker's record needs compare-and-swap, and one place for all hosts. Some key-value stores have no compare-and-swap
-- (Akamai Functions), and some hosts share none. There the record is here (`breaker_store = database`): read by one
-- statement, changed by one statement, its times told by this server's clock.

-- It has no tenant. The components reach it by the functions below alone.
CREATE TABLE breaker_records (
    -- `redis_instance_name`: deployments with different names may share a database.
    namespace text COLLATE "C" PRIMARY KEY CHECK (namespace ~ '^[A-Za-z0-9_.-]{1,64}$'),
    -- JSON, by components/shared/cache/src/breaker/record.rs. A text, because it is compared whole.
    record text COLLATE "C" NOT NULL CHECK (length(record) BETWEEN 1 AND 10000),
    -- The run of the server that it was written in.
    run text COLLATE "C" NOT NULL
);

-- This server's clock, Unix time in milliseconds.
CREATE FUNCTION breaker_clock_ms() RETURNS bigint
    LANGUAGE sql VOLATILE
AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

-- What changes whenever the record may have gone back together with the rest of the database: this run of the server, and the
-- table's file, which is another one when a dump is restored in place.
CREATE FUNCTION breaker_run() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT database_run() || '/' || pg_relation_filenode('breaker_records')
$$;

-- The record, in one row always. The snapshot is older than the clock.
CREATE FUNCTION breaker_record(
    for_namespace text,
    -- NULL: there is none yet.
    OUT record text,
    -- Whether it was written in this run.
    OUT is_of_this_run boolean,
    OUT run text,
    OUT clock_ms bigint
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT b.record, coalesce(b.run = n.run, true), n.run, n.clock_ms
    FROM (SELECT breaker_run() AS run, breaker_clock_ms() AS clock_ms) AS n
    LEFT JOIN breaker_records b ON b.namespace = for_namespace
$$;

-- Replaces the record if it is `expected` (NULL: if there is none), and says what it is then. Not in another run than the caller
-- read it in, and not once the times in it are old: other hosts wait for leases by them.
CREATE FUNCTION swap_breaker_record(
    for_namespace text,
    expected text,
    replacement text,
    in_run text,
    decided_ms bigint,
    OUT is_swapped boolean,
    OUT record text,
    OUT is_of_this_run boolean,
    OUT run text,
    OUT clock_ms bigint
)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    is_swapped := false;
    IF in_run = breaker_run() AND breaker_clock_ms() <= decided_ms + 250 THEN
        -- Others can see it at once: it waits for no disk and no standby. What is lost with the server is not missed, because its
        -- next run begins a new epoch.
        PERFORM set_config('synchronous_commit', 'off', true);
        IF expected IS NULL THEN
            INSERT INTO breaker_records (namespace, record, run) VALUES (for_namespace, replacement, in_run)
            ON CONFLICT DO NOTHING;
        ELSE
            UPDATE breaker_records b SET record = replacement, run = in_run
            WHERE b.namespace = for_namespace AND b.record = expected;
        END IF;
        is_swapped := FOUND;
    END IF;
    -- Each statement of a function sees anew.
    SELECT r.record, r.is_of_this_run, r.run, r.clock_ms INTO record, is_of_this_run, run, clock_ms
    FROM breaker_record(for_namespace) AS r;
END
$$;

REVOKE EXECUTE ON FUNCTION breaker_clock_ms(), breaker_run(), breaker_record(text),
    swap_breaker_record(text, text, text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION breaker_record(text), swap_breaker_record(text, text, text, text, bigint) TO renttracker_app;
