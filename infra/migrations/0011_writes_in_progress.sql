-- Why: a write's fence stands for a while that is longer than any statement should take. But what ends a statement for its
-- client does not always end it for PostgreSQL: a commit waits for a synchronous standby however long that takes, past
-- `statement_timeout`; and a pooler may drop that limit, or keep a statement in its queue. So each write shows while it is in
-- progress, and is not begun once its client has stopped waiting.
--
-- A write shows by an advisory lock that it holds to the end of its transaction. PostgreSQL gives locks back after the
-- transaction can be seen by others (CommitTransaction in src/backend/access/transam/xact.c): whoever asks, finds no lock, and
-- then reads, sees what the write did. pg_locks needs no privilege.

-- The first half of a write's lock: the first four bytes of the SHA-256 of its tenant. Two tenants with the same are in doubt
-- together. (An id has no backslash, so its bytes are its text's.)
CREATE FUNCTION write_lock_key(for_tenant text) RETURNS integer
    LANGUAGE sql IMMUTABLE
AS $$
    SELECT ('x' || left(encode(sha256(for_tenant::bytea), 'hex'), 8))::bit(32)::integer
$$;

-- Begins a write, in the statement that is the write; its tenant. The setting is that of 0007_row_level_security.sql.
-- `start_by_ms` is Unix time in milliseconds by this server's clock.
CREATE FUNCTION begin_write(for_tenant text, start_by_ms bigint) RETURNS text
    LANGUAGE plpgsql
AS $$
BEGIN
    -- Shared: writes do not wait for each other. The second half is the second in which it began, modulo 2^32.
    PERFORM pg_advisory_xact_lock_shared(write_lock_key(for_tenant),
        floor(extract(epoch FROM clock_timestamp()))::bigint::bit(32)::integer);
    -- After the lock: who has not seen the lock by then will not see the write either.
    IF extract(epoch FROM clock_timestamp()) * 1000 > start_by_ms THEN
        RAISE EXCEPTION 'the write came after its client had stopped waiting'
            USING ERRCODE = 'RT001', HINT = 'look for what holds statements back: a pooler''s queue, a stopped host';
    END IF;
    -- Where the limit of the components (STATEMENT_TIMEOUT_MS) got lost on the way, at least a wait for a lock ends. Unlike
    -- statement_timeout, lock_timeout counts for the statement that sets it.
    IF current_setting('statement_timeout')::interval NOT BETWEEN interval '1 ms' AND interval '1500 ms' THEN
        PERFORM set_config('lock_timeout', '1500', true);
    END IF;
    RETURN set_config('renttracker.tenant', for_tenant, true);
END
$$;

-- The writes in progress in this database. An advisory lock of another program that looks the same, shared and with a time in
-- its second half, is a false alarm.
CREATE FUNCTION writes_in_progress()
    -- For how long is told to the second, and up to one too much.
    RETURNS TABLE (transaction text, tenant_hash text, seconds bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
    -- One that began ahead of this clock tells that the clock was set back: it has been in progress for long enough.
    SELECT w.transaction, w.tenant_hash, CASE WHEN w.seconds >= 4294963696 THEN 3600 ELSE w.seconds END FROM (
        SELECT l.virtualtransaction AS transaction, lpad(to_hex(l.classid::bigint), 8, '0') AS tenant_hash,
            (floor(extract(epoch FROM clock_timestamp()))::bigint - l.objid::bigint) & 4294967295 AS seconds
        FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.objsubid = 2
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    ) AS w
    -- No write is older than 34 years, or an hour ahead; a small number of another program would be.
    WHERE w.seconds < 1073741824 OR w.seconds >= 4294963696
$$;

-- What an instance has to know of the database before it stores what it reads there, and before it writes: one row.
CREATE FUNCTION database_state(
    -- How long a write may be in progress until its tenant is in doubt.
    doubt_after_seconds bigint,
    -- This server's clock, Unix time in milliseconds.
    OUT clock_ms bigint,
    -- The limit in force in the caller's session, in milliseconds; 0: none.
    OUT statement_timeout_ms bigint,
    -- The hashes of the tenants with a write that has been in progress for longer.
    OUT in_doubt text[]
)
    LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
        (extract(epoch FROM current_setting('statement_timeout')::interval) * 1000)::bigint,
        ARRAY(SELECT DISTINCT w.tenant_hash FROM writes_in_progress() AS w WHERE w.seconds >= doubt_after_seconds)
$$;

-- Removes a property and its payments, as delete_property (0006) does, but only if its caller knew of all of them: it has put
-- fences over those, and over no other. `unknown_payments` are the others; then nothing is removed. None can be added while the
-- property is locked, however long that is.
CREATE FUNCTION delete_property(
    for_tenant text,
    property uuid,
    write_id uuid,
    versions bigint[],
    known_payments text[],
    OUT found_version bigint,
    OUT is_deleted boolean,
    OUT unknown_payments text[]
)
    LANGUAGE plpgsql
AS $$
BEGIN
    is_deleted := false;
    SELECT p.row_version INTO found_version FROM properties p
    WHERE p.tenant_id = for_tenant AND p.id = property FOR UPDATE;
    IF NOT FOUND OR (versions IS NOT NULL AND found_version <> ALL (versions)) THEN
        RETURN;
    END IF;
    unknown_payments := ARRAY(
        SELECT y.id::text FROM payments y WHERE y.tenant_id = for_tenant AND y.property_id = property
        EXCEPT SELECT unnest(known_payments)
    );
    IF unknown_payments <> '{}' THEN
        RETURN;
    END IF;
    SELECT d.is_deleted INTO is_deleted FROM delete_property(for_tenant, property, write_id, versions) AS d;
END
$$;

REVOKE EXECUTE ON FUNCTION write_lock_key(text), begin_write(text, bigint), writes_in_progress(), database_state(bigint),
    delete_property(text, uuid, uuid, bigint[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION write_lock_key(text), begin_write(text, bigint), writes_in_progress(), database_state(bigint),
    delete_property(text, uuid, uuid, bigint[], text[]) TO renttracker_app;
