-- Looks a missing value up once more and, if it is still missing, tries to become its leader.
--
-- KEYS  1 value, 2 lock, 3 in a region: the hash of the log
-- ARGV  1 field of a list page ('' for a plain value), 2 token, 3 lock duration in ms,
--       4 fingerprint of a value to throw away ('' for none), 5 the most bytes that an entry has
--       6, 7 in a region: epoch of the cache, generation of the region
-- Answers {'value', bytes} | {'leader'} | {'wait'} | {'fenced'}. In a region {'leader', WAL position that a standby must be at, or ''
-- where nobody knows}.
--
-- Guarantees: at most one live leader for a value at any time, by Redis's own clock; no leader while a fence is up; a
-- value of the wrong type or of no entry's size and the very value that the caller rejected are gone afterwards, a newer
-- one is not. Locks and fences that have run out are gone with a leader, who would lengthen their key's life.
local is_page = ARGV[1] ~= ''
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'none' then
  if kind ~= (is_page and 'hash' or 'string') then
    redis.call('DEL', KEYS[1])
  else
    -- What is larger than an entry is not even taken into the script.
    local limit = tonumber(ARGV[5])
    local value = ''
    if not is_page then
      value = redis.call('GETRANGE', KEYS[1], 0, limit)
    elseif redis.call('HSTRLEN', KEYS[1], ARGV[1]) <= limit then
      value = redis.call('HGET', KEYS[1], ARGV[1])
    end
    if value then
      local rejected = ARGV[4] ~= '' and string.sub(value, 1, #ARGV[4]) == ARGV[4]
      if not rejected and value ~= '' and #value <= limit then return {'value', value} end
      if is_page then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('DEL', KEYS[1]) end
    end
  end
end

if redis.call('TYPE', KEYS[2]).ok == 'string' then redis.call('DEL', KEYS[2]) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mine = 'owner:' .. ARGV[1]
local fields = redis.call('HGETALL', KEYS[2])
local over = {}
for i = 1, #fields, 2 do
  local deadline = tonumber(string.match(fields[i + 1], '^%d+')) or 0
  if deadline <= now then
    if fields[i] ~= mine then over[#over + 1] = fields[i] end
  else
    if string.sub(fields[i], 1, 6) == 'fence:' then return {'fenced'} end
    if fields[i] == mine then return {'wait'} end
  end
end

redis.call('HSET', KEYS[2], mine, (now + ARGV[3]) .. ' ' .. ARGV[2])
for _, field in ipairs(over) do redis.call('HDEL', KEYS[2], field) end
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
if not KEYS[3] then return {'leader'} end
if redis.call('TYPE', KEYS[3]).ok ~= 'hash' or redis.call('HGET', KEYS[3], 'epoch') ~= ARGV[6]
    or redis.call('HGET', KEYS[3], 'generation') ~= ARGV[7] then
  return {'leader', ''}
end
return {'leader', redis.call('HGET', KEYS[3], 'demand') or ''}
