-- Why: the rent payments. The foreign keys carry the tenant, so that a payment can belong to no other tenant's property
-- and use no other tenant's method, whatever a statement says.

CREATE TABLE payments (
    tenant_id text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    property_id uuid NOT NULL,
    amount numeric(18, 2) NOT NULL,
    payment_date timestamptz NOT NULL,
    payment_method_tenant_id text COLLATE "C" NOT NULL CHECK (payment_method_tenant_id IN ('~system', tenant_id)),
    payment_method_id uuid NOT NULL,
    payment_reference text COLLATE "und-x-icu" CHECK (char_length(payment_reference) <= 100),
    notes text COLLATE "und-x-icu" CHECK (char_length(notes) <= 500),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    row_version bigint NOT NULL DEFAULT 1 CHECK (row_version >= 1),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, property_id) REFERENCES properties (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (payment_method_tenant_id, payment_method_id) REFERENCES payment_methods (tenant_id, id)
);

-- A list is always of one property: the default order comes straight from this index, and the other orders and searches
-- sort or filter the property's own payments, which it finds without touching another row.
CREATE INDEX payments_list ON payments (tenant_id, property_id, payment_date DESC, id);
-- For the foreign key: a method cannot be deleted while it is used, and checking that must not scan the table.
CREATE INDEX payments_method ON payments (payment_method_tenant_id, payment_method_id);
