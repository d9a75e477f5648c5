-- Why: the capital ẞ (U+1E9E) was not found as ß, SS or ss. Upper-casing leaves it as it is, and lower-casing then makes it an
-- ß that nothing else folds to. Lower-casing first makes it one before upper-casing takes that to SS. And the dotless ı was
-- taken for an i, which only Turkish has as its capital's other letter: Unicode's case folding (CaseFolding.txt, C and F) leaves
-- it alone. With both, `fold` agrees with Unicode on all of its characters (a test of `tests/search.rs` compares each).

-- Writers wait for as long as this takes, readers do not: 2 s at a million rows, for looking for the two letters.
-- Without the lock a row that is written meanwhile could be left folded as before.
LOCK TABLE properties, payment_methods IN SHARE ROW EXCLUSIVE MODE;

-- U+FFFF, which is no character, keeps the place of the dotless ı: its upper case is the I of i.
CREATE OR REPLACE FUNCTION fold(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN replace(
        replace(
            lower(upper(lower(
                replace(value, 'ı', U&'\FFFF') COLLATE "und-x-icu") COLLATE "und-x-icu") COLLATE "und-x-icu"),
            U&'\FFFF', 'ı'),
        'ς', 'σ');

-- What is stored of the function's answers is made anew where it has changed, and nowhere else: until now an ß came of ẞ alone.
-- The rows are what they were, so neither their versions nor what is cached of them change.
UPDATE properties SET address = address
WHERE search_text LIKE '%ß%'
    OR strpos(concat_ws(' ', address, suburb, state, post_code, description, property_manager, property_manager_contact), 'ı') > 0;

-- A tenant has few methods of its own. Two names that have become one cannot stay both.
DO $$
DECLARE
    alike record;
BEGIN
    SELECT tenant_id, string_agg(name, ', ' ORDER BY name) AS names INTO alike
    FROM payment_methods GROUP BY tenant_id, fold(name) HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the payment methods % of the tenant % have one name in different cases', alike.names, alike.tenant_id
            USING HINT = 'rename all but one of them, and migrate again';
    END IF;
END
$$;
REINDEX INDEX payment_methods_name;
