-- Put before a script that is sent without a connection, which would break off with the Redis at its other end.
--
-- KEYS  last: the marker of the database
-- ARGV  last: what the caller found there
--
-- Guarantees: the script runs in the database that the caller knows, or not at all. It finds its own keys and arguments as
-- if these two had never been there.
local marker = table.remove(KEYS)
if redis.pcall('GET', marker) ~= table.remove(ARGV) then
  return redis.error_reply('ANOTHER database than the one that was found at first')
end
