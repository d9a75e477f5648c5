-- Why: one row that no answer can carry takes down every list that it is on. Npgsql, which RentTracker's backend writes with,
-- stores DateTime.MinValue and MaxValue as -infinity and infinity, and reads them so (Npgsql 6 and later,
-- `DisableDateTimeInfinityConversions`). Those are answered as what .NET means. The rest of what PostgreSQL can hold and JSON
-- or RFC 3339 cannot write is kept out: NaN, and times before the year 1 or after 9999.
--
-- First of all: what is there already. Nothing is changed before all of it has been told.
DO $$
DECLARE
    place record;
    how_many bigint;
    example text;
    found text[] := '{}';
BEGIN
    FOR place IN
        SELECT c.relname AS table_name, a.attname AS column_name, CASE
            WHEN a.atttypid = 'numeric'::regtype THEN '%1$I = ''NaN'''
            -- The first moment of the year 10000 is .NET's last one, rounded (see below).
            WHEN a.attname IN ('lease_start_date', 'lease_end_date', 'payment_date')
                THEN 'isfinite(%1$I) AND (%1$I < ''0001-01-01 00:00:00+00'' OR %1$I > ''10000-01-01 00:00:00+00'')'
            ELSE 'isfinite(%1$I) AND (%1$I < ''0001-01-01 00:00:00+00'' OR %1$I >= ''10000-01-01 00:00:00+00'')'
        END AS no_answer_carries_it
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.oid IN ('properties'::regclass, 'payments'::regclass, 'payment_methods'::regclass)
            AND a.atttypid IN ('numeric'::regtype, 'timestamptz'::regtype) AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY c.relname, a.attnum
    LOOP
        EXECUTE format('SELECT count(*), min(id::text) FROM %2$I WHERE ' || place.no_answer_carries_it, place.column_name,
            place.table_name) INTO how_many, example;
        IF how_many > 0 THEN
            found := found || format('%s in %s.%s (one of them in the row %s)', how_many, place.table_name,
                place.column_name, example);
        END IF;
    END LOOP;
    IF found <> '{}' THEN
        RAISE EXCEPTION 'there are values that no answer can carry: %', array_to_string(found, ', ')
            USING HINT = 'correct these rows and migrate again: a time lies in the years 1 to 9999 in UTC, or is -infinity or '
                'infinity; an amount is a number';
    END IF;
END
$$;

-- Microseconds since 1970-01-01T00:00:00Z, and for -infinity and infinity those of the first and the last moment that .NET
-- has, as far as PostgreSQL keeps them: 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z.
--
-- PostgreSQL puts a function's expression in the place of its call only if that is what the declaration says: `extract` of a
-- timestamptz is STABLE, of a timestamp in UTC it is IMMUTABLE; CASE is not STRICT. No index uses the function.
CREATE OR REPLACE FUNCTION unix_micros(value timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE value
        WHEN '-infinity' THEN -62135596800000000
        WHEN 'infinity' THEN 253402300799999999
        ELSE (extract(epoch FROM value AT TIME ZONE 'UTC') * 1000000)::bigint
    END;

-- Two spellings of one moment would be two places in a list's order, and a cursor could name only one of them. So what lists
-- are sorted by has the least and the greatest moment in one form, whoever wrote it: the one that .NET reads as such. A client
-- that sends back what it was answered so keeps it. .NET writes the greatest with seven digits, which PostgreSQL rounds where
-- it reads a text: that is the first moment of the year 10000.
CREATE FUNCTION one_form(value timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN value = '0001-01-01 00:00:00+00' THEN '-infinity'
        WHEN value IN ('9999-12-31 23:59:59.999999+00', '10000-01-01 00:00:00+00') THEN 'infinity'
        ELSE value
    END;
GRANT EXECUTE ON FUNCTION one_form(timestamptz) TO renttracker_app;

CREATE FUNCTION one_form_of_lease_dates() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    NEW.lease_start_date := one_form(NEW.lease_start_date);
    NEW.lease_end_date := one_form(NEW.lease_end_date);
    RETURN NEW;
END
$$;
CREATE FUNCTION one_form_of_payment_date() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    NEW.payment_date := one_form(NEW.payment_date);
    RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION one_form_of_lease_dates(), one_form_of_payment_date() FROM PUBLIC;

-- The functions are called for those rows alone.
CREATE TRIGGER one_form BEFORE INSERT OR UPDATE ON properties FOR EACH ROW
    WHEN (NEW.lease_start_date <> one_form(NEW.lease_start_date) OR NEW.lease_end_date <> one_form(NEW.lease_end_date))
    EXECUTE FUNCTION one_form_of_lease_dates();
CREATE TRIGGER one_form BEFORE INSERT OR UPDATE ON payments FOR EACH ROW
    WHEN (NEW.payment_date <> one_form(NEW.payment_date))
    EXECUTE FUNCTION one_form_of_payment_date();

-- The rows that are there. Their answers stay the same, and so do their versions and what is cached of them.
UPDATE properties SET lease_start_date = one_form(lease_start_date), lease_end_date = one_form(lease_end_date)
WHERE lease_start_date <> one_form(lease_start_date) OR lease_end_date <> one_form(lease_end_date);
UPDATE payments SET payment_date = one_form(payment_date) WHERE payment_date <> one_form(payment_date);

-- Each statement reads its table once, during which nobody uses it: 0.5 s for a million properties.
ALTER TABLE properties
    ADD CONSTRAINT properties_weekly_rent_amount_number CHECK (weekly_rent_amount <> 'NaN'),
    ADD CONSTRAINT properties_lease_start_date_years CHECK (NOT isfinite(lease_start_date)
        OR (lease_start_date >= '0001-01-01 00:00:00+00' AND lease_start_date < '10000-01-01 00:00:00+00')),
    ADD CONSTRAINT properties_lease_end_date_years CHECK (NOT isfinite(lease_end_date)
        OR (lease_end_date >= '0001-01-01 00:00:00+00' AND lease_end_date < '10000-01-01 00:00:00+00')),
    ADD CONSTRAINT properties_created_at_years CHECK (NOT isfinite(created_at)
        OR (created_at >= '0001-01-01 00:00:00+00' AND created_at < '10000-01-01 00:00:00+00')),
    ADD CONSTRAINT properties_updated_at_years CHECK (NOT isfinite(updated_at)
        OR (updated_at >= '0001-01-01 00:00:00+00' AND updated_at < '10000-01-01 00:00:00+00'));
ALTER TABLE payments
    ADD CONSTRAINT payments_amount_number CHECK (amount <> 'NaN'),
    ADD CONSTRAINT payments_payment_date_years CHECK (NOT isfinite(payment_date)
        OR (payment_date >= '0001-01-01 00:00:00+00' AND payment_date < '10000-01-01 00:00:00+00')),
    ADD CONSTRAINT payments_created_at_years CHECK (NOT isfinite(created_at)
        OR (created_at >= '0001-01-01 00:00:00+00' AND created_at < '10000-01-01 00:00:00+00')),
    ADD CONSTRAINT payments_updated_at_years CHECK (NOT isfinite(updated_at)
        OR (updated_at >= '0001-01-01 00:00:00+00' AND updated_at < '10000-01-01 00:00:00+00'));
ALTER TABLE payment_methods
    ADD CONSTRAINT payment_methods_created_at_years CHECK (NOT isfinite(created_at)
        OR (created_at >= '0001-01-01 00:00:00+00' AND created_at < '10000-01-01 00:00:00+00')),
    ADD CONSTRAINT payment_methods_updated_at_years CHECK (NOT isfinite(updated_at)
        OR (updated_at >= '0001-01-01 00:00:00+00' AND updated_at < '10000-01-01 00:00:00+00'));
-- Ages are computed of these, and infinity has none.
ALTER TABLE cache_invalidations ADD CONSTRAINT cache_invalidations_created_at_finite CHECK (isfinite(created_at));
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_created_at_finite CHECK (isfinite(created_at));
