-- Invalidates after a write's statement, and takes its fence down.
--
-- KEYS  value 1, lock 1, value 2, lock 2, …, and the hash of read leases
-- ARGV  1 id of the write
-- Answers {'fenced', '0'} when the fence has stood over all the keys, or else {'unfenced', for how long instances may answer
-- again from what they got before, in ms}.
--
-- Guarantees, for all the keys at once: the values are gone and no leader of before may store any more. It is right
-- whether the fence was up, had run out or never was, so it also serves the outbox, any number of times.
local is_fenced = true
for i = 1, #KEYS - 1, 2 do
  local lock = KEYS[i + 1]
  redis.call('DEL', KEYS[i])
  if redis.call('TYPE', lock).ok == 'string' then redis.call('DEL', lock) end
  local fields = redis.call('HKEYS', lock)
  local has_fence = false
  for f = 1, #fields do
    has_fence = has_fence or fields[f] == 'fence:' .. ARGV[1]
    if string.sub(fields[f], 1, 6) == 'owner:' or fields[f] == 'fence:' .. ARGV[1] then
      redis.call('HDEL', lock, fields[f])
    end
  end
  is_fenced = is_fenced and has_fence
end
if is_fenced then return {'fenced', '0'} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local longest = 0
if redis.call('TYPE', KEYS[#KEYS]).ok == 'hash' then
  local leases = redis.call('HGETALL', KEYS[#KEYS])
  for l = 1, #leases, 2 do
    if (tonumber(leases[l + 1]) or 0) > now then longest = math.max(longest, tonumber(leases[l]) or 0) end
  end
end
return {'unfenced', tostring(longest)}
