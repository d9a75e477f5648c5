-- Why: after a failover a pool may hold connections to a server that has stopped taking writes, while others write to another
-- one by now. What the first shows may be old, and nothing in its rows says so. A statement that reads asks this function
-- first; a component then ends that session and opens another, which has to take writes.
--
-- True, or an error (25006, read_only_sql_transaction). Where a component has found no server that takes writes, only a
-- primary that was told not to, nobody can write anywhere: what it shows is as it is. It says so in its session.
CREATE FUNCTION is_current() RETURNS boolean
    LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF current_setting('transaction_read_only')::boolean
        AND current_setting('renttracker.read_only', true) IS DISTINCT FROM 'accepted' THEN
        RAISE read_only_sql_transaction USING MESSAGE = 'this server takes no writes, and may be behind another that does';
    END IF;
    RETURN true;
END
$$;
REVOKE EXECUTE ON FUNCTION is_current() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_current() TO renttracker_app;
