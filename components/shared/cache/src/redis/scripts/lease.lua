-- Registers for how long instances answer again from what they got, so that writes wait for them.
--
-- KEYS  1 the hash of read leases
-- ARGV  1 how long such a lease lasts in ms, 2 how long the registration stands in ms
-- Answers 'registered'.
--
-- Guarantees: every fence from now on is answered with this length or a longer one, until the time has passed or another
-- Redis takes this one's place.
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('DEL', KEYS[1]) end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'registered'
