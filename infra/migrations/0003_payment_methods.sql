-- Why: the ways of paying. The system's own belong to the tenant '~system', which no token can name (a tenant id has no
-- '~'); a landlord's own belong to the landlord.

CREATE TABLE payment_methods (
    tenant_id text COLLATE "C" NOT NULL CHECK (tenant_id = '~system' OR tenant_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text COLLATE "und-x-icu" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    description text CHECK (char_length(description) <= 500),
    is_system_default boolean NOT NULL GENERATED ALWAYS AS (tenant_id = '~system') STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);

-- A name is one method among a tenant's own: older clients send the name alone.
CREATE UNIQUE INDEX payment_methods_name ON payment_methods (tenant_id, fold(name));

-- The ids are fixed, so that they are the same in every deployment.
INSERT INTO payment_methods (tenant_id, id, name, description) VALUES
    ('~system', '01980000-0000-7000-8000-000000000001', 'Bank Transfer', 'A transfer from the tenant''s bank account'),
    ('~system', '01980000-0000-7000-8000-000000000002', 'Cash', 'Notes and coins, against a receipt'),
    ('~system', '01980000-0000-7000-8000-000000000003', 'Cheque', 'A cheque or bank draft'),
    ('~system', '01980000-0000-7000-8000-000000000004', 'Credit Card', 'A payment by credit card'),
    ('~system', '01980000-0000-7000-8000-000000000005', 'Direct Debit', 'A standing debit of the tenant''s account');
