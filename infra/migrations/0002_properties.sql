-- Why: the landlords' properties. The tenant leads every key and index, so that no statement ever has to look past its own
-- tenant's rows.

CREATE TABLE properties (
    tenant_id text COLLATE "C" NOT NULL CHECK (tenant_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    id uuid NOT NULL,
    address text COLLATE "und-x-icu" NOT NULL CHECK (char_length(address) BETWEEN 1 AND 200),
    suburb text COLLATE "und-x-icu" CHECK (char_length(suburb) <= 100),
    state text COLLATE "und-x-icu" CHECK (char_length(state) <= 50),
    post_code text CHECK (char_length(post_code) <= 10),
    description text CHECK (char_length(description) <= 500),
    weekly_rent_amount numeric(18, 2),
    lease_start_date timestamptz,
    lease_end_date timestamptz,
    property_manager text CHECK (char_length(property_manager) <= 100),
    property_manager_contact text CHECK (char_length(property_manager_contact) <= 100),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    row_version bigint NOT NULL DEFAULT 1 CHECK (row_version >= 1),
    -- What a search looks through: every searched member, folded, with a character between them that no term can span.
    search_text text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
        fold(address) || E'\x1f' || coalesce(fold(suburb), '') || E'\x1f' || coalesce(fold(state), '') || E'\x1f'
        || coalesce(fold(post_code), '') || E'\x1f' || coalesce(fold(description), '') || E'\x1f'
        || coalesce(fold(property_manager), '') || E'\x1f' || coalesce(fold(property_manager_contact), '')
    ) STORED,
    PRIMARY KEY (tenant_id, id)
);

-- One index an order. The contract sorts nulls last and breaks ties by ascending id in both directions, and an index read
-- backwards does neither, so the descending orders have their own.
CREATE INDEX properties_address_asc ON properties (tenant_id, address, id);
CREATE INDEX properties_address_desc ON properties (tenant_id, address DESC NULLS LAST, id);
CREATE INDEX properties_suburb_asc ON properties (tenant_id, suburb, id);
CREATE INDEX properties_suburb_desc ON properties (tenant_id, suburb DESC NULLS LAST, id);
CREATE INDEX properties_state_asc ON properties (tenant_id, state, id);
CREATE INDEX properties_state_desc ON properties (tenant_id, state DESC NULLS LAST, id);
CREATE INDEX properties_weekly_rent_amount_asc ON properties (tenant_id, weekly_rent_amount, id);
CREATE INDEX properties_weekly_rent_amount_desc ON properties (tenant_id, weekly_rent_amount DESC NULLS LAST, id);
CREATE INDEX properties_lease_start_date_asc ON properties (tenant_id, lease_start_date, id);
CREATE INDEX properties_lease_start_date_desc ON properties (tenant_id, lease_start_date DESC NULLS LAST, id);
CREATE INDEX properties_lease_end_date_asc ON properties (tenant_id, lease_end_date, id);
CREATE INDEX properties_lease_end_date_desc ON properties (tenant_id, lease_end_date DESC NULLS LAST, id);

CREATE INDEX properties_search ON properties USING gin (tenant_id, search_text gin_trgm_ops);
