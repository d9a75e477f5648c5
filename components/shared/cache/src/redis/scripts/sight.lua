-- Looks at an entry as it stands, with what tells it from another one that replaces it.
--
-- KEYS  1 value, 2 lock
-- ARGV  1 field of a list page ('' for a plain value), 2 the most bytes that an entry has
-- Answers {} for none | {bytes, when its key runs out in ms by Redis's clock, 'fenced' | 'free'}. What cannot be an entry by
-- its type or its size is told with no bytes.
--
-- Guarantees: changes nothing; the answer is of one moment.
local is_page = ARGV[1] ~= ''
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return {} end
local value = ''
if kind == (is_page and 'hash' or 'string') then
  local limit = tonumber(ARGV[2])
  if not is_page then
    value = redis.call('GETRANGE', KEYS[1], 0, limit)
  elseif redis.call('HSTRLEN', KEYS[1], ARGV[1]) <= limit then
    value = redis.call('HGET', KEYS[1], ARGV[1])
  end
  if not value then return {} end
  if #value > limit then value = '' end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = 'free'
if redis.call('TYPE', KEYS[2]).ok == 'hash' then
  local fields = redis.call('HGETALL', KEYS[2])
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 6) == 'fence:' and (tonumber(fields[i + 1]) or 0) > now then state = 'fenced' end
  end
end
return {value, string.format('%d', now + redis.call('PTTL', KEYS[1])), state}
