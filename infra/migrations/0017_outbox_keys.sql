-- Why: a write named its cache keys twice, in Rust for the fence and here for the outbox. What one of the two leaves out is
-- served stale. The components give the names now (components/shared/rental/src/resource.rs), and these functions insert what
-- they are given. Those without `resources` stay for the release before.

-- As in 0010_writes.sql. `resources` are the names of the keys that the write invalidates, in all of these.
CREATE FUNCTION replace_property(
    for_tenant text,
    property uuid,
    write_id uuid,
    resources text[],
    new_address text,
    new_suburb text,
    new_state text,
    new_post_code text,
    new_description text,
    new_weekly_rent_amount numeric,
    new_lease_start_date timestamptz,
    new_lease_end_date timestamptz,
    new_property_manager text,
    new_property_manager_contact text,
    versions bigint[],
    OUT found_version bigint,
    OUT changed properties
)
    LANGUAGE plpgsql
AS $$
BEGIN
    SELECT p.row_version INTO found_version FROM properties p
    WHERE p.tenant_id = for_tenant AND p.id = property FOR UPDATE;
    IF NOT FOUND OR (versions IS NOT NULL AND found_version <> ALL (versions)) THEN
        RETURN;
    END IF;
    UPDATE properties p SET address = new_address, suburb = new_suburb, state = new_state, post_code = new_post_code,
        description = new_description, weekly_rent_amount = new_weekly_rent_amount,
        lease_start_date = new_lease_start_date, lease_end_date = new_lease_end_date,
        property_manager = new_property_manager, property_manager_contact = new_property_manager_contact,
        updated_at = now(), row_version = p.row_version + 1
    WHERE p.tenant_id = for_tenant AND p.id = property
    RETURNING p.* INTO changed;
    INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES (for_tenant, write_id, resources);
END
$$;

-- As in 0010_writes.sql. A request that was answered before invalidates once more what all of them do; what it made has a row
-- of its own in the outbox until Redis has been told.
CREATE FUNCTION create_property(
    for_tenant text,
    property uuid,
    write_id uuid,
    resources text[],
    new_address text,
    new_suburb text,
    new_state text,
    new_post_code text,
    new_description text,
    new_weekly_rent_amount numeric,
    new_lease_start_date timestamptz,
    new_lease_end_date timestamptz,
    new_property_manager text,
    new_property_manager_contact text,
    idempotency_key text,
    key_request text,
    OUT is_free boolean,
    OUT known_request text,
    OUT made properties
)
    LANGUAGE plpgsql
AS $$
DECLARE
    known_answer jsonb;
BEGIN
    SELECT c.is_free, c.known_request, c.known_answer INTO is_free, known_request, known_answer
    FROM claim_idempotency_key(for_tenant, idempotency_key) AS c;
    IF is_free THEN
        INSERT INTO properties AS p (tenant_id, id, address, suburb, state, post_code, description, weekly_rent_amount,
            lease_start_date, lease_end_date, property_manager, property_manager_contact)
        VALUES (for_tenant, property, new_address, new_suburb, new_state, new_post_code, new_description,
            new_weekly_rent_amount, new_lease_start_date, new_lease_end_date, new_property_manager,
            new_property_manager_contact)
        RETURNING p.* INTO made;
        IF idempotency_key IS NOT NULL THEN
            INSERT INTO idempotency_keys (tenant_id, key, request, answer)
            VALUES (for_tenant, idempotency_key, key_request,
                jsonb_build_object('property', to_jsonb(made) - 'search_text'));
        END IF;
    ELSIF known_request = key_request THEN
        made := jsonb_populate_record(NULL::properties, known_answer -> 'property');
    ELSE
        RETURN;
    END IF;
    INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES (for_tenant, write_id, resources);
END
$$;

-- As in 0010_writes.sql, and as above.
CREATE FUNCTION create_payment(
    for_tenant text,
    property uuid,
    payment uuid,
    write_id uuid,
    resources text[],
    method_id uuid,
    method_name text,
    new_amount numeric,
    new_payment_date timestamptz,
    new_payment_reference text,
    new_notes text,
    idempotency_key text,
    key_request text,
    OUT is_free boolean,
    OUT known_request text,
    OUT has_property boolean,
    OUT has_method boolean,
    OUT made payments,
    OUT made_method payment_methods
)
    LANGUAGE plpgsql
AS $$
DECLARE
    known_answer jsonb;
BEGIN
    has_property := false;
    has_method := false;
    SELECT c.is_free, c.known_request, c.known_answer INTO is_free, known_request, known_answer
    FROM claim_idempotency_key(for_tenant, idempotency_key) AS c;
    IF is_free THEN
        PERFORM FROM properties p WHERE p.tenant_id = for_tenant AND p.id = property FOR KEY SHARE;
        has_property := FOUND;
        made_method := payment_method_named(for_tenant, method_id, method_name);
        has_method := made_method.id IS NOT NULL;
        IF NOT (has_property AND has_method) THEN
            RETURN;
        END IF;
        INSERT INTO payments AS y (tenant_id, id, property_id, payment_method_tenant_id, payment_method_id, amount,
            payment_date, payment_reference, notes)
        VALUES (for_tenant, payment, property, made_method.tenant_id, made_method.id, new_amount, new_payment_date,
            new_payment_reference, new_notes)
        RETURNING y.* INTO made;
        IF idempotency_key IS NOT NULL THEN
            INSERT INTO idempotency_keys (tenant_id, key, request, answer)
            VALUES (for_tenant, idempotency_key, key_request,
                jsonb_build_object('payment', to_jsonb(made), 'method', to_jsonb(made_method)));
        END IF;
    ELSIF known_request = key_request THEN
        made := jsonb_populate_record(NULL::payments, known_answer -> 'payment');
        made_method := jsonb_populate_record(NULL::payment_methods, known_answer -> 'method');
    ELSE
        RETURN;
    END IF;
    INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES (for_tenant, write_id, resources);
END
$$;

-- As in 0010_writes.sql.
CREATE FUNCTION replace_payment(
    for_tenant text,
    property uuid,
    payment uuid,
    write_id uuid,
    resources text[],
    method_id uuid,
    method_name text,
    new_amount numeric,
    new_payment_date timestamptz,
    new_payment_reference text,
    new_notes text,
    versions bigint[],
    OUT found_version bigint,
    OUT has_method boolean,
    OUT new_version bigint
)
    LANGUAGE plpgsql
AS $$
DECLARE
    method payment_methods;
BEGIN
    SELECT y.row_version INTO found_version FROM payments y
    WHERE y.tenant_id = for_tenant AND y.property_id = property AND y.id = payment FOR UPDATE;
    method := payment_method_named(for_tenant, method_id, method_name);
    has_method := method.id IS NOT NULL;
    IF found_version IS NULL OR NOT has_method OR (versions IS NOT NULL AND found_version <> ALL (versions)) THEN
        RETURN;
    END IF;
    UPDATE payments y SET payment_method_tenant_id = method.tenant_id, payment_method_id = method.id, amount = new_amount,
        payment_date = new_payment_date, payment_reference = new_payment_reference, notes = new_notes,
        updated_at = now(), row_version = y.row_version + 1
    WHERE y.tenant_id = for_tenant AND y.id = payment
    RETURNING y.row_version INTO new_version;
    INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES (for_tenant, write_id, resources);
END
$$;

-- As in 0010_writes.sql.
CREATE FUNCTION delete_payment(
    for_tenant text,
    property uuid,
    payment uuid,
    write_id uuid,
    resources text[],
    versions bigint[],
    OUT found_version bigint,
    OUT is_deleted boolean
)
    LANGUAGE plpgsql
AS $$
BEGIN
    is_deleted := false;
    SELECT y.row_version INTO found_version FROM payments y
    WHERE y.tenant_id = for_tenant AND y.property_id = property AND y.id = payment FOR UPDATE;
    IF NOT FOUND OR (versions IS NOT NULL AND found_version <> ALL (versions)) THEN
        RETURN;
    END IF;
    DELETE FROM payments y WHERE y.tenant_id = for_tenant AND y.id = payment;
    is_deleted := true;
    INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES (for_tenant, write_id, resources);
END
$$;

-- As in 0011_writes_in_progress.sql: its caller names all payments, or nothing is removed. Each statement of a function sees
-- anew (0006_delete_property.sql), so the payments are compared after the lock is held, and none is added until it is gone.
CREATE FUNCTION delete_property(
    for_tenant text,
    property uuid,
    write_id uuid,
    resources text[],
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
    DELETE FROM payments y WHERE y.tenant_id = for_tenant AND y.property_id = property;
    DELETE FROM properties p WHERE p.tenant_id = for_tenant AND p.id = property;
    is_deleted := true;
    INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES (for_tenant, write_id, resources);
END
$$;

REVOKE EXECUTE ON FUNCTION
    replace_property(text, uuid, uuid, text[], text, text, text, text, text, numeric, timestamptz, timestamptz, text, text,
        bigint[]),
    create_property(text, uuid, uuid, text[], text, text, text, text, text, numeric, timestamptz, timestamptz, text, text,
        text, text),
    create_payment(text, uuid, uuid, uuid, text[], uuid, text, numeric, timestamptz, text, text, text, text),
    replace_payment(text, uuid, uuid, uuid, text[], uuid, text, numeric, timestamptz, text, text, bigint[]),
    delete_payment(text, uuid, uuid, uuid, text[], bigint[]),
    delete_property(text, uuid, uuid, text[], bigint[], text[])
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    replace_property(text, uuid, uuid, text[], text, text, text, text, text, numeric, timestamptz, timestamptz, text, text,
        bigint[]),
    create_property(text, uuid, uuid, text[], text, text, text, text, text, numeric, timestamptz, timestamptz, text, text,
        text, text),
    create_payment(text, uuid, uuid, uuid, text[], uuid, text, numeric, timestamptz, text, text, text, text),
    replace_payment(text, uuid, uuid, uuid, text[], uuid, text, numeric, timestamptz, text, text, bigint[]),
    delete_payment(text, uuid, uuid, uuid, text[], bigint[]),
    delete_property(text, uuid, uuid, text[], bigint[], text[])
TO renttracker_app;
