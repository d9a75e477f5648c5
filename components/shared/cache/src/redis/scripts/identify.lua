-- Finds out which database this is, where no server can be asked (`run_id`): by a marker in the data themselves.
--
-- KEYS  1 marker
-- ARGV  1 what to mark it with if there is no marker, 2 time to live in ms
-- Answers the marker.
--
-- Guarantees: as long as the marker stands the data are those of before. It is gone with them (a flush, a new database),
-- and no value lives longer than it.
local known = redis.pcall('GET', KEYS[1])
if type(known) ~= 'string' then
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return known
