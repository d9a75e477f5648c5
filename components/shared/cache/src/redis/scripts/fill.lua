-- Stores what a leader read and gives its lock back.
--
-- KEYS  1 value, 2 lock
-- ARGV  1 field of a list page ('' for a plain value), 2 token, 3 bytes ('' to store nothing), 4 time to live in ms,
--       5 most fields that a list may have
-- Answers 'stored' | 'refused' (the lock is no longer the caller's, or a fence is up) | 'full' (the list has its pages).
--
-- Guarantees: a value is stored only by the leader whose lock has stood, unbroken by any write, since before it read the
-- database. So what is stored was current at the moment of storing. A list never outlives the time to live of the page
-- that started it.
local mine = 'owner:' .. ARGV[1]
if redis.call('TYPE', KEYS[2]).ok ~= 'hash' then return 'refused' end
local lock = redis.call('HGET', KEYS[2], mine)
if not lock then return 'refused' end
local deadline, token = string.match(lock, '^(%d+) (.*)$')
if token ~= ARGV[2] then return 'refused' end
redis.call('HDEL', KEYS[2], mine)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(deadline) <= now or ARGV[3] == '' then return 'refused' end
local fields = redis.call('HGETALL', KEYS[2])
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 6) == 'fence:' and (tonumber(fields[i + 1]) or 0) > now then return 'refused' end
end

if ARGV[1] == '' then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  return 'stored'
end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 'full' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 'stored'
