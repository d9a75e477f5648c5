-- Throws away what is too large for an entry. Sent after a page of a list did not come in time: no command of Redis reads a
-- field of a hash up to a limit, and the next reader would fetch as much again.
--
-- KEYS  1 value, 2 lock
-- ARGV  1 field of a list page ('' for a plain value), 2 the most bytes that an entry has
-- Answers 'discarded' | 'kept'.
--
-- Guarantees: what has an entry's size stays.
local is_page = ARGV[1] ~= ''
if redis.call('TYPE', KEYS[1]).ok ~= (is_page and 'hash' or 'string') then return 'kept' end
local limit = tonumber(ARGV[2])
if is_page then
  if redis.call('HSTRLEN', KEYS[1], ARGV[1]) <= limit then return 'kept' end
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  if #redis.call('GETRANGE', KEYS[1], 0, limit) <= limit then return 'kept' end
  redis.call('DEL', KEYS[1])
end
return 'discarded'
