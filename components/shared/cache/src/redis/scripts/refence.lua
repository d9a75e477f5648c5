-- Invalidates after a write's statement, where a log will take its fence down: in a region.
--
-- KEYS  value 1, lock 1, value 2, lock 2, …, and the hash of the log
-- ARGV  1 id of the write, 2 duration in ms, 3 its transaction
-- Answers 'fenced'.
--
-- Guarantees, for all the keys at once: the values are gone, no leader of before may store any more, and none may store what a
-- standby shows that does not show the write yet: until a leader is told of it with the demand, the fence stands, for the whole duration from now.
local log = KEYS[#KEYS]
local shown = redis.call('TYPE', log).ok == 'hash' and redis.call('HGET', log, 'shown') or ''
local xmax, running = string.match(shown, '^%d+:(%d+):(.*)$')
local is_demanded = xmax and tonumber(ARGV[3]) < tonumber(xmax)
    and not string.find(',' .. running .. ',', ',' .. ARGV[3] .. ',', 1, true)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fence = 'fence:' .. ARGV[1]
for i = 1, #KEYS - 1, 2 do
  local lock = KEYS[i + 1]
  redis.call('DEL', KEYS[i])
  if redis.call('TYPE', lock).ok == 'string' then redis.call('DEL', lock) end
  for _, field in ipairs(redis.call('HKEYS', lock)) do
    if string.sub(field, 1, 6) == 'owner:' then redis.call('HDEL', lock, field) end
  end
  if not is_demanded then
    redis.call('HSET', lock, fence, now + ARGV[2])
    if redis.call('PTTL', lock) < tonumber(ARGV[2]) then redis.call('PEXPIRE', lock, ARGV[2]) end
  end
end
return 'fenced'
