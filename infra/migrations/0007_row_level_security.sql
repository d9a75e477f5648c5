-- Why: a second wall between the tenants. The components' statements name the tenant in every WHERE; should one ever forget
-- it, PostgreSQL itself shows no other tenant's rows. The components log in as a member of renttracker_app, which owns
-- nothing and cannot bypass the policies; the owner, who migrates and backs up, is not bound by them.
--
-- A statement says who asks by setting `renttracker.tenant` for its own transaction, that is, for itself. Where it is not
-- set no row is seen. After its first use in a session the setting is not null but empty, which is nobody's id either.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'renttracker_app') THEN
        CREATE ROLE renttracker_app NOLOGIN;
    END IF;
EXCEPTION
    -- Roles belong to the whole server: the migration of another of its databases has just made it.
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role renttracker_app is missing and may not be made'
            USING HINT = 'have an administrator run CREATE ROLE renttracker_app NOLOGIN, and migrate again';
END
$$;

DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_roles
        WHERE rolname = 'renttracker_app' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)
    ) THEN
        RAISE EXCEPTION 'the role renttracker_app may do more than the components need'
            USING HINT = 'ALTER ROLE renttracker_app NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB';
    END IF;
END
$$;

-- PostgreSQL before 15, and databases that come from there, let everybody create tables.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO renttracker_app;

-- Exactly what the statements do. No column that says whose a row is, or which, can be updated.
GRANT SELECT, DELETE ON properties, payments TO renttracker_app;
GRANT SELECT ON payment_methods TO renttracker_app;
GRANT INSERT (tenant_id, id, address, suburb, state, post_code, description, weekly_rent_amount, lease_start_date,
    lease_end_date, property_manager, property_manager_contact) ON properties TO renttracker_app;
GRANT UPDATE (address, suburb, state, post_code, description, weekly_rent_amount, lease_start_date, lease_end_date,
    property_manager, property_manager_contact, updated_at, row_version) ON properties TO renttracker_app;
GRANT INSERT (tenant_id, id, property_id, payment_method_tenant_id, payment_method_id, amount, payment_date,
    payment_reference, notes) ON payments TO renttracker_app;
GRANT UPDATE (payment_method_tenant_id, payment_method_id, amount, payment_date, payment_reference, notes, updated_at,
    row_version) ON payments TO renttracker_app;
GRANT INSERT (tenant_id, id, resources) ON cache_invalidations TO renttracker_app;
-- delete_property keeps its caller's rights, and so its caller's policies.
REVOKE EXECUTE ON FUNCTION delete_property(text, uuid, uuid, bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fold(text), unix_micros(timestamptz), delete_property(text, uuid, uuid, bigint[])
    TO renttracker_app;

-- A policy's USING also holds what is written. Foreign keys are checked as the owner, past the policies: they carry the
-- tenant themselves.
ALTER TABLE properties ENABLE ROW LEVEL SECURITY;
ALTER TABLE payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE payment_methods ENABLE ROW LEVEL SECURITY;
ALTER TABLE cache_invalidations ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_properties ON properties TO renttracker_app
    USING (tenant_id = current_setting('renttracker.tenant', true));
CREATE POLICY own_payments ON payments TO renttracker_app
    USING (tenant_id = current_setting('renttracker.tenant', true));
CREATE POLICY own_and_system_methods ON payment_methods FOR SELECT TO renttracker_app
    USING (tenant_id IN ('~system', current_setting('renttracker.tenant', true)));
CREATE POLICY own_invalidations ON cache_invalidations FOR INSERT TO renttracker_app
    WITH CHECK (tenant_id = current_setting('renttracker.tenant', true));

-- What follows runs with the owner's rights, so each function is bound to this schema (pg_temp last, where a caller could
-- put tables of its own), and only the components may call it.

-- The tenant's properties that a LIKE pattern finds. Under a policy PostgreSQL tries nothing on a row that
-- could leak it before the policy has let it through, and so uses no index for LIKE: the trigrams would lie idle and each
-- search would read all rows of the tenant. Here there is no policy, so the tenant is taken from where the policies take
-- it, never from an argument. The plan is made for the pattern at hand, as a plain statement's would be: the best way to a
-- rare word and to a single letter are not the same.
CREATE FUNCTION matching_properties(pattern text) RETURNS SETOF properties
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100
    SET search_path = pg_catalog, public, pg_temp
    SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
    RETURN QUERY
    SELECT p.* FROM properties p
    WHERE p.tenant_id = current_setting('renttracker.tenant', true) AND p.search_text LIKE fold(pattern)
        -- The character that separates the members of search_text is in none of them.
        AND strpos(pattern, E'\x1f') = 0;
END
$$;

-- The outbox is drained for all tenants at once, by whoever writes or probes next. It names keys and holds no data.
CREATE FUNCTION outbox_oldest(older_than_seconds bigint, at_most bigint)
    RETURNS TABLE (tenant_id text, id uuid, resources text[])
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT tenant_id, id, resources FROM cache_invalidations
    WHERE created_at <= clock_timestamp() - older_than_seconds * interval '1 second' ORDER BY created_at LIMIT at_most
$$;

-- Removes rows whose keys are invalidated, but for those that another drainer is removing at this moment; how many.
CREATE FUNCTION outbox_remove(tenants text[], ids text[]) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM cache_invalidations WHERE (tenant_id, id) IN (
            SELECT tenant_id, id FROM cache_invalidations
            WHERE (tenant_id, id) IN (SELECT * FROM unnest(tenants, ids::uuid[]))
            FOR UPDATE SKIP LOCKED
        )
        RETURNING id
    )
    SELECT count(*) FROM gone
$$;

-- How many rows there are, and the age of the oldest in seconds.
CREATE FUNCTION outbox_lag() RETURNS TABLE (waiting bigint, oldest_seconds bigint)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::bigint
    FROM cache_invalidations
$$;

REVOKE EXECUTE ON FUNCTION matching_properties(text), outbox_oldest(bigint, bigint), outbox_remove(text[], text[]),
    outbox_lag() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION matching_properties(text), outbox_oldest(bigint, bigint), outbox_remove(text[], text[]),
    outbox_lag() TO renttracker_app;

-- Whether the policies bind whoever asks. It runs with its caller's rights: that is the question.
CREATE FUNCTION row_level_security_holds() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT bool_and(row_security_active(name::regclass))
    FROM unnest(ARRAY['properties', 'payments', 'payment_methods', 'cache_invalidations']) AS name
$$;
GRANT EXECUTE ON FUNCTION row_level_security_holds() TO renttracker_app;
