-- Does with a key of the application's own what readers and writers do with theirs: a Redis that refuses one of these
-- commands is of no use to them, however well it answers the others.
--
-- KEYS  1 the key
-- ARGV  1 how long it stands in ms, should the script be broken off
-- Answers 'done'.
--
-- Guarantees: nothing is left. The command that is refused is the script's error.
local key = KEYS[1]
-- First what needs memory: a script that has deleted something is let go beyond `maxmemory`.
redis.call('SET', key, '', 'PX', ARGV[1])
redis.call('TIME')
redis.call('TYPE', key)
redis.call('GETRANGE', key, 0, 0)
redis.call('PTTL', key)
redis.call('DEL', key)
redis.call('HSET', key, 'field', '')
redis.call('PEXPIRE', key, ARGV[1])
redis.call('HGET', key, 'field')
redis.call('HSTRLEN', key, 'field')
redis.call('HEXISTS', key, 'field')
redis.call('HLEN', key)
redis.call('HGETALL', key)
redis.call('HKEYS', key)
redis.call('HDEL', key, 'field')
redis.call('DEL', key)
return 'done'
