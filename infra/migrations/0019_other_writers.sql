-- Why: while RentTracker's own backend, or anything else, still writes properties and payments, nobody tells the cache of it: what is
-- in there is served until it expires. These triggers put a row into the outbox for each such change, in its transaction. They are
-- off until an operator calls watch_other_writers(), as they cost each of those writes one row more (infra/deploy/origin.md).
--
-- A write of ours has set `renttracker.tenant` for its transaction (0011_writes_in_progress.sql), and makes an outbox row of its own.

-- The names are those of components/shared/rental/src/resource.rs. All that a property is in goes with it, whatever was changed.
CREATE FUNCTION names_of_property(property uuid) RETURNS text[]
    LANGUAGE sql IMMUTABLE
AS $$
    SELECT ARRAY['property:' || property, 'property:list', 'property:' || property || ':payments:list']
$$;

CREATE FUNCTION names_of_payment(property uuid, payment uuid) RETURNS text[]
    LANGUAGE sql IMMUTABLE
AS $$
    SELECT ARRAY['payment:' || payment, 'property:' || property || ':payments:list']
$$;

-- With the owner's rights: who writes need not be allowed to write to the outbox. A row may leave one tenant or property for another,
-- so what it was counts as well as what it is.
CREATE FUNCTION note_other_write() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES (OLD.tenant_id, gen_random_uuid(),
            CASE TG_TABLE_NAME WHEN 'properties' THEN names_of_property(OLD.id)
                ELSE names_of_payment((to_jsonb(OLD) ->> 'property_id')::uuid, OLD.id) END);
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND (NEW.tenant_id, NEW.id, to_jsonb(NEW) ->> 'property_id')
            IS DISTINCT FROM (OLD.tenant_id, OLD.id, to_jsonb(OLD) ->> 'property_id')) THEN
        INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES (NEW.tenant_id, gen_random_uuid(),
            CASE TG_TABLE_NAME WHEN 'properties' THEN names_of_property(NEW.id)
                ELSE names_of_payment((to_jsonb(NEW) ->> 'property_id')::uuid, NEW.id) END);
    END IF;
    RETURN NULL;
END
$$;

-- An ETag is made of the version. Whoever does not know of it would leave it, and a client's copy would look current for ever.
CREATE FUNCTION count_other_write() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    NEW.row_version := OLD.row_version + 1;
    RETURN NEW;
END
$$;

CREATE TRIGGER count_other_write BEFORE UPDATE ON properties FOR EACH ROW
    WHEN (coalesce(current_setting('renttracker.tenant', true), '') = '' AND NEW.row_version = OLD.row_version)
    EXECUTE FUNCTION count_other_write();
CREATE TRIGGER count_other_write BEFORE UPDATE ON payments FOR EACH ROW
    WHEN (coalesce(current_setting('renttracker.tenant', true), '') = '' AND NEW.row_version = OLD.row_version)
    EXECUTE FUNCTION count_other_write();
CREATE TRIGGER note_other_write AFTER INSERT OR UPDATE OR DELETE ON properties FOR EACH ROW
    WHEN (coalesce(current_setting('renttracker.tenant', true), '') = '')
    EXECUTE FUNCTION note_other_write();
CREATE TRIGGER note_other_write AFTER INSERT OR UPDATE OR DELETE ON payments FOR EACH ROW
    WHEN (coalesce(current_setting('renttracker.tenant', true), '') = '')
    EXECUTE FUNCTION note_other_write();

-- Off. Switching waits for writes in progress, and gives up before those that queue behind it do.
ALTER TABLE properties DISABLE TRIGGER count_other_write, DISABLE TRIGGER note_other_write;
ALTER TABLE payments DISABLE TRIGGER count_other_write, DISABLE TRIGGER note_other_write;

-- For the owner, who alone may: SELECT watch_other_writers()
CREATE FUNCTION watch_other_writers() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '1s'
AS $$
    ALTER TABLE properties ENABLE TRIGGER count_other_write, ENABLE TRIGGER note_other_write;
    ALTER TABLE payments ENABLE TRIGGER count_other_write, ENABLE TRIGGER note_other_write;
$$;

CREATE FUNCTION ignore_other_writers() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '1s'
AS $$
    ALTER TABLE properties DISABLE TRIGGER count_other_write, DISABLE TRIGGER note_other_write;
    ALTER TABLE payments DISABLE TRIGGER count_other_write, DISABLE TRIGGER note_other_write;
$$;

REVOKE EXECUTE ON FUNCTION names_of_property(uuid), names_of_payment(uuid, uuid), note_other_write(), count_other_write(),
    watch_other_writers(), ignore_other_writers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_other_write() TO renttracker_app;
