-- Why: what the tables and the components' statements share. Both functions are immutable, so indexes may use them.

CREATE EXTENSION IF NOT EXISTS pg_trgm;
-- Lets a GIN index lead with the tenant: without it a search would walk every tenant's trigrams.
CREATE EXTENSION IF NOT EXISTS btree_gin;

-- Case folding by Unicode, whatever the database's locale: upper before lower takes 'ß' to 'ss', and the final sigma, which
-- lower-casing makes of a sigma at a word's end, is an ordinary one, so that a part of a word is found in the whole.
CREATE FUNCTION fold(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN replace(lower(upper(value COLLATE "und-x-icu") COLLATE "und-x-icu"), 'ς', 'σ');

-- Microseconds since 1970-01-01T00:00:00Z: exact, and a plain bigint on the wire.
CREATE FUNCTION unix_micros(value timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN (extract(epoch FROM value) * 1000000)::bigint;
