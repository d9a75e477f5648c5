-- Says how far this region has worked off the log, and offers to read it when that is due.
--
-- KEYS  1 the hash of the log
-- ARGV  1 epoch of the cache, 2 token of the caller, 3 for how long it may read the log alone in ms,
--       4 reading is due when the cache may be used for less than this in ms, 5 the bound in ms: for longer it is never used,
--       6 for how long the caller may register the region alone in ms, where nothing is known
-- Answers {generation, lineage, position, snapshot, for how long the cache may be used in ms, 'read' | 'wait', now in ms by
-- Redis's clock}. Without a generation nothing is known: it is another epoch's, or was lost. Without a snapshot nothing is worked off yet.
--
-- Guarantees: 'read' is answered to one caller at a time, unless one takes longer than it may. That is safe, and only reads twice.
local key = KEYS[1]
if redis.call('TYPE', key).ok ~= 'hash' then redis.call('DEL', key) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local log = {}
for i, name in ipairs({'epoch', 'generation', 'lineage', 'position', 'snapshot', 'until', 'reader'}) do log[i] = redis.call('HGET', key, name) end
local left = 0
if log[1] ~= ARGV[1] then
  log = {false, false, false, false, false, false, log[7]}
else
  left = math.max(0, (tonumber(log[6]) or 0) - now)
  -- The clock was set back.
  if left > tonumber(ARGV[5]) then left = 0 end
end

local role = 'wait'
if left < tonumber(ARGV[4]) and (tonumber(string.match(log[7] or '', '^%d+')) or 0) <= now then
  role = 'read'
  -- First what needs no memory: a script that has written something is let go beyond `maxmemory`.
  redis.call('HDEL', key, 'none')
  local alone = log[2] and ARGV[3] or ARGV[6]
  redis.call('HSET', key, 'reader', string.format('%d %s', now + alone, ARGV[2]))
  if redis.call('PTTL', key) < tonumber(alone) then redis.call('PEXPIRE', key, alone) end
end
return {log[2] or '', log[3] or '', log[4] or '', log[5] or '', tostring(left), role, string.format('%d', now)}
