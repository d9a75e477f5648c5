-- Tells entries by a digest of their value, whatever the order in which a hash is kept.
--
-- KEYS  the entries, or none
-- ARGV  1 how many to choose where KEYS is empty
-- Answers a line 'digest milliseconds-to-live key' for each that is there.
local function digest(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' then return redis.sha1hex(redis.call('GET', key)) end
  if kind ~= 'hash' then return redis.sha1hex(redis.call('DUMP', key)) end
  local flat, fields = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do fields[#fields + 1] = redis.sha1hex(flat[i]) .. redis.sha1hex(flat[i + 1]) end
  table.sort(fields)
  return redis.sha1hex(table.concat(fields))
end

local keys, cursor = KEYS, '0'
if #keys == 0 then
  keys = {}
  repeat
    local page = redis.call('SCAN', cursor, 'COUNT', 100)
    cursor = page[1]
    for _, key in ipairs(page[2]) do keys[#keys + 1] = key end
  until cursor == '0' or #keys >= tonumber(ARGV[1])
end
local lines = {}
for i = 1, #keys do
  local left = redis.call('PTTL', keys[i])
  if left ~= -2 and (#KEYS > 0 or i <= tonumber(ARGV[1])) then
    lines[#lines + 1] = digest(keys[i]) .. ' ' .. left .. ' ' .. keys[i]
  end
end
return lines
