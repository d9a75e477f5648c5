-- Why: after a failover a pool may hold connections to a server that has stopped taking writes, while others write to another
-- one by now. What the first shows may be old, and nothing in its rows says so. A statement that reads asks this function
-- first; a component then ends that session and opens another, which has to take writes.
--
-- True, or an error (25006, read_only_sql_transaction). Where a component has found no server that takes writes, only a
-- primary that was told not to, nobody can write anywhere: what it shows is as it is. It says so in its statement, and not in
-- its session, which a pooler may lend to others later.
CREATE FUNCTION is_current(may_be_read_only boolean) RETURNS boolean
    LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF current_setting('transaction_read_only')::boolean AND NOT (may_be_read_only AND NOT pg_is_in_recovery()) THEN
        RAISE read_only_sql_transaction USING MESSAGE = 'this server takes no writes, and may be behind another that does';
    END IF;
    RETURN true;
END
$$;
REVOKE EXECUTE ON FUNCTION is_current(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_current(boolean) TO renttracker_app;
