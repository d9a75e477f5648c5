-- Why: a statement that reads one property or one payment was planned anew each time, and half of what a miss cost PostgreSQL was
-- the plan. A function in PL/pgSQL keeps its plan for as long as the session lasts, and a pool's sessions last long. Nothing is read
-- here that the statement could not read: the functions have the caller's rights, and the policies hold in them
-- (0007_row_level_security.sql). Lists have as many plans as orders and filters, and stay statements.
--
-- A plan that is made while a table is nearly empty reads all of it. A session keeps it until the table is analysed.

-- The columns of a property that are answered, in the order of `Property::COLUMNS`.
CREATE FUNCTION read_property(for_tenant text, property uuid) RETURNS TABLE (
    id uuid, address text, suburb text, state text, post_code text, description text, weekly_rent_amount numeric,
    lease_start_micros bigint, lease_end_micros bigint, property_manager text, property_manager_contact text,
    created_micros bigint, updated_micros bigint, row_version bigint)
    LANGUAGE plpgsql STABLE ROWS 1
AS $$
BEGIN
    RETURN QUERY SELECT p.id, p.address, p.suburb, p.state, p.post_code, p.description, p.weekly_rent_amount,
            unix_micros(p.lease_start_date), unix_micros(p.lease_end_date), p.property_manager, p.property_manager_contact,
            unix_micros(p.created_at), unix_micros(p.updated_at), p.row_version
        FROM properties p WHERE p.tenant_id = for_tenant AND p.id = property;
END
$$;

-- The same of a payment and its method, in the order of `Payment::COLUMNS` and `PaymentMethod::COLUMNS`.
CREATE FUNCTION read_payment(for_tenant text, payment uuid) RETURNS TABLE (
    id uuid, property_id uuid, amount numeric, payment_micros bigint, payment_reference text, notes text,
    created_micros bigint, updated_micros bigint, row_version bigint,
    method_id uuid, method_name text, method_description text, method_is_system_default boolean,
    method_created_micros bigint, method_updated_micros bigint)
    LANGUAGE plpgsql STABLE ROWS 1
AS $$
BEGIN
    RETURN QUERY SELECT y.id, y.property_id, y.amount, unix_micros(y.payment_date), y.payment_reference, y.notes,
            unix_micros(y.created_at), unix_micros(y.updated_at), y.row_version,
            m.id, m.name, m.description, m.is_system_default, unix_micros(m.created_at), unix_micros(m.updated_at)
        FROM payments y
        JOIN payment_methods m ON m.tenant_id = y.payment_method_tenant_id AND m.id = y.payment_method_id
        WHERE y.tenant_id = for_tenant AND y.id = payment;
END
$$;

REVOKE EXECUTE ON FUNCTION read_property(text, uuid), read_payment(text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION read_property(text, uuid), read_payment(text, uuid) TO renttracker_app;
