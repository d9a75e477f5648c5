-- Says that a batch of the log is worked off, and until when the cache may be used: told after the last entry is deleted.
--
-- KEYS  1 the hash of the log
-- ARGV  1 epoch of the cache, 2 generation of the region, 3 token of the caller, 4 lineage of the database, 5 WAL position before the snapshot,
--       6 snapshot in which the log was read, 7 until when the cache may be used in ms by Redis's clock, 8 for how long the hash is
--       kept in ms, 9 the bound in ms
-- Answers 'done' | 'another' (as in log_demand.lua).
--
-- Guarantees: position and snapshot are of one reading, the latest one.
local key = KEYS[1]
if redis.call('TYPE', key).ok ~= 'hash' then return 'another' end
local log = {}
for i, name in ipairs({'epoch', 'generation', 'position', 'until', 'reader'}) do log[i] = redis.call('HGET', key, name) end
if log[1] ~= ARGV[1] or log[2] ~= ARGV[2] then return 'another' end
redis.call('HDEL', key, 'none')
if (tonumber(log[3]) or -1) < tonumber(ARGV[5]) then
  redis.call('HSET', key, 'lineage', ARGV[4], 'position', ARGV[5], 'snapshot', ARGV[6])
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stored = tonumber(log[4]) or 0
-- What is too far ahead is of a clock that was set back.
if stored < tonumber(ARGV[7]) or stored > now + ARGV[9] then redis.call('HSET', key, 'until', ARGV[7]) end
if string.match(log[5] or '', '^%d+ (.*)$') == ARGV[3] then redis.call('HDEL', key, 'reader') end
redis.call('PEXPIRE', key, ARGV[8])
return 'done'
