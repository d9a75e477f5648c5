-- Takes in what an instance has counted, and hands out all of it when there is enough.
--
-- KEYS  1 the key of a hash of counts
-- ARGV  1 a name that nobody else uses, or empty when there is nothing to take in
--       2 the counts
--       3 how many make enough
--       4 for how long they are kept in ms
-- Answers all counts, each once; nothing while there are fewer than enough.
--
-- Guarantees: counts are answered to one caller alone. They are gone when nobody asks for them in time.
local key = KEYS[1]
if ARGV[1] ~= '' then
  redis.call('HSET', key, ARGV[1], ARGV[2])
  redis.call('PEXPIRE', key, ARGV[4])
end
if redis.call('HLEN', key) < tonumber(ARGV[3]) then
  return {}
end
local counts = {}
for index, part in ipairs(redis.call('HGETALL', key)) do
  if index % 2 == 0 then
    counts[#counts + 1] = part
  end
end
redis.call('DEL', key)
return counts
