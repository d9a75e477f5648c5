-- Puts up a write's fence before its statement runs.
--
-- KEYS  value 1, lock 1, value 2, lock 2, …, and the hash of read leases
-- ARGV  1 id of the write, 2 duration in ms
-- Answers {'fenced', for how long instances may answer again from what they got before, in ms}.
--
-- Guarantees, for all the keys at once: the values are gone, no leader of before may store any more, and none may store
-- until this write takes its fence down or the duration has passed. A Redis whose memory is full does not refuse it:
-- its first command is a deletion, and what has begun to write is run to its end.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 1, #KEYS - 1, 2 do
  local lock = KEYS[i + 1]
  redis.call('DEL', KEYS[i])
  if redis.call('TYPE', lock).ok == 'string' then redis.call('DEL', lock) end
  local fields = redis.call('HGETALL', lock)
  for f = 1, #fields, 2 do
    local is_fence = string.sub(fields[f], 1, 6) == 'fence:'
    if not is_fence or (tonumber(fields[f + 1]) or 0) <= now then redis.call('HDEL', lock, fields[f]) end
  end
  redis.call('HSET', lock, 'fence:' .. ARGV[1], now + ARGV[2])
  if redis.call('PTTL', lock) < tonumber(ARGV[2]) then redis.call('PEXPIRE', lock, ARGV[2]) end
end

local longest = 0
if redis.call('TYPE', KEYS[#KEYS]).ok == 'hash' then
  local leases = redis.call('HGETALL', KEYS[#KEYS])
  for l = 1, #leases, 2 do
    if (tonumber(leases[l + 1]) or 0) > now then longest = math.max(longest, tonumber(leases[l]) or 0) end
  end
end
return {'fenced', tostring(longest)}
