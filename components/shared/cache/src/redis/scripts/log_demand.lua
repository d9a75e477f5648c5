-- Says how far a standby must be before what it shows may be stored: told before the first entry of a batch is deleted.
--
-- KEYS  1 the hash of the log
-- ARGV  1 epoch of the cache, 2 generation of the region, 3 WAL position behind everything that the batch has, 4 the snapshot of the
--       batch, 5 'anew' where the region has just registered, 6 for how long the hash is kept in ms, 7 token of the caller, 8 for how
--       long it may go on to read alone in ms
-- Answers 'told' | 'another' (the hash is of another registration or epoch).
--
-- Guarantees: the demand of a registration never sinks, and is behind everything that the snapshot shows. A registration begins with nothing else known.
local key = KEYS[1]
if redis.call('TYPE', key).ok ~= 'hash' then redis.call('DEL', key) end
redis.call('HDEL', key, 'none')
local log = {}
for i, name in ipairs({'epoch', 'generation', 'demand'}) do log[i] = redis.call('HGET', key, name) end
if log[1] ~= ARGV[1] or log[2] ~= ARGV[2] then
  local is_older = log[1] == ARGV[1] and (tonumber(log[2]) or 0) > tonumber(ARGV[2])
  if ARGV[5] ~= 'anew' or is_older then return 'another' end
  redis.call('DEL', key)
  redis.call('HSET', key, 'epoch', ARGV[1], 'generation', ARGV[2], 'demand', ARGV[3], 'shown', ARGV[4])
elseif (tonumber(log[3]) or 0) < tonumber(ARGV[3]) then
  redis.call('HSET', key, 'demand', ARGV[3], 'shown', ARGV[4])
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', key, 'reader', string.format('%d %s', now + ARGV[8], ARGV[7]))
redis.call('PEXPIRE', key, ARGV[6])
return 'told'
