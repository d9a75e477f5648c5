-- Why: a database can go back, to a backup, to a snapshot of its disk, or to a standby that lacks the last commits. Row versions
-- are then given out a second time, and the cache has entries of rows that are gone. So the components ask which database it
-- is, which run of its server, and how far it is; components/shared/src/lineage.rs compares. All of it may be asked by
-- everybody, and is right at once after a promotion (the timeline of pg_control_checkpoint() is not, before the next checkpoint).

-- This run of the server: when it was started, and how far it recovered. The server recovers anew, without being started anew,
-- after one of its processes has crashed.
CREATE FUNCTION database_run() RETURNS text
    LANGUAGE sql STABLE
AS $$
    SELECT (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint::text
        || coalesce('+' || pg_catalog.pg_last_wal_replay_lsn()::text, '')
$$;

-- Nothing while the server is a standby: what it has may be old already.
CREATE FUNCTION database_lineage(
    -- The cluster, its timeline, the database, and the files of the tables: dropped and made anew, or emptied and filled anew, as
    -- a restored dump does it, they are others. (VACUUM FULL and CLUSTER make other files too.)
    OUT database_id text,
    OUT run text,
    -- Where the WAL was when this run began, if it began from an orderly shutdown, whose checkpoint is still the last one.
    OUT run_from bigint,
    OUT wal_position bigint
)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    files text := concat_ws('.', pg_relation_filenode('properties'), pg_relation_filenode('payments'),
        pg_relation_filenode('payment_methods'));
    database oid := (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN;
    END IF;
    run := database_run();
    BEGIN
        database_id := concat_ws('/', (pg_control_system()).system_identifier,
            left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), database, files);
        wal_position := pg_current_wal_insert_lsn() - '0/0'::pg_lsn;
        SELECT c.checkpoint_lsn - '0/0'::pg_lsn INTO run_from FROM pg_control_checkpoint() AS c
        -- A shutdown's checkpoint begins and ends at one place, and is from before the start.
        WHERE c.redo_lsn = c.checkpoint_lsn AND c.checkpoint_time <= pg_postmaster_start_time()
            AND pg_last_wal_replay_lsn() IS NULL;
    EXCEPTION
        -- A service that shows nothing of its WAL: then each restart counts as one that may have lost something.
        WHEN insufficient_privilege OR feature_not_supported OR undefined_function THEN
            database_id := concat_ws('/', 'hidden', database, files);
            wal_position := 0;
            run_from := NULL;
    END;
END
$$;

-- As in 0011_writes_in_progress.sql, and the lineage. Earlier components read the first columns.
DROP FUNCTION database_state(bigint);
CREATE FUNCTION database_state(
    doubt_after_seconds bigint,
    OUT clock_ms bigint,
    OUT statement_timeout_ms bigint,
    OUT in_doubt text[],
    OUT database_id text,
    OUT run text,
    OUT run_from bigint,
    OUT wal_position bigint
)
    LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
        (extract(epoch FROM current_setting('statement_timeout')::interval) * 1000)::bigint,
        ARRAY(SELECT DISTINCT w.tenant_hash FROM writes_in_progress() AS w WHERE w.seconds >= doubt_after_seconds),
        l.database_id, l.run, l.run_from, l.wal_position
    FROM database_lineage() AS l
$$;

REVOKE EXECUTE ON FUNCTION database_run(), database_lineage(), database_state(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION database_run(), database_lineage(), database_state(bigint) TO renttracker_app;
