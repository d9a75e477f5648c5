-- Forgets a registration that is over, and offers the caller to make another: told before it asks PostgreSQL for one.
--
-- KEYS  1 the hash of the log
-- ARGV  1 epoch of the cache, 2 generation of the region, 3 token of the caller, 4 for how long it may register the region alone in ms
-- Answers 'register' | 'another' (the hash is of another registration or epoch).
--
-- Guarantees: 'register' is answered to one caller for each registration, and nobody gets a lease on the cache until it has registered.
local key = KEYS[1]
if redis.call('TYPE', key).ok ~= 'hash' then return 'another' end
if redis.call('HGET', key, 'epoch') ~= ARGV[1] or redis.call('HGET', key, 'generation') ~= ARGV[2] then return 'another' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('DEL', key)
redis.call('HSET', key, 'reader', string.format('%d %s', now + ARGV[4], ARGV[3]))
redis.call('PEXPIRE', key, ARGV[4])
return 'register'
