-- Why: deleting a property has to name every payment that goes with it, also one that was added a moment ago. A single
-- statement with CTEs sees the rows of its own start, and the cascade would silently take a payment that was committed
-- while the statement waited for the property's lock. Inside a function each statement sees anew, so the payments are
-- listed after the lock is held. It is still one statement for its caller, and atomic.

CREATE FUNCTION delete_property(
    for_tenant text,
    property uuid,
    write_id uuid,
    -- The versions that may be deleted; NULL: any.
    versions bigint[],
    OUT found_version bigint,
    OUT is_deleted boolean,
    OUT payment_ids text[]
)
    LANGUAGE plpgsql
AS $$
BEGIN
    is_deleted := false;
    SELECT row_version INTO found_version FROM properties WHERE tenant_id = for_tenant AND id = property FOR UPDATE;
    IF NOT FOUND OR (versions IS NOT NULL AND found_version <> ALL (versions)) THEN
        RETURN;
    END IF;
    WITH gone AS (
        DELETE FROM payments WHERE tenant_id = for_tenant AND property_id = property RETURNING id::text
    )
    SELECT array_agg(id) INTO payment_ids FROM gone;
    DELETE FROM properties WHERE tenant_id = for_tenant AND id = property;
    is_deleted := true;
    INSERT INTO cache_invalidations (tenant_id, id, resources)
    VALUES (
        for_tenant,
        write_id,
        ARRAY['property:' || property, 'property:list', 'property:' || property || ':payments:list']
            || ARRAY(SELECT 'payment:' || payment FROM unnest(payment_ids) AS payment)
    );
END
$$;
