-- Invalidates after a write's statement, and takes its fence down.
--
-- KEYS  value 1, lock 1, value 2, lock 2, …
-- ARGV  1 id of the write
-- Answers 'done'.
--
-- Guarantees, for all the keys at once: the values are gone and no leader of before may store any more. It is right
-- whether the fence was up, had run out or never was, so it also serves the outbox, any number of times.
for i = 1, #KEYS, 2 do
  local lock = KEYS[i + 1]
  redis.call('DEL', KEYS[i])
  if redis.call('TYPE', lock).ok == 'string' then redis.call('DEL', lock) end
  local fields = redis.call('HKEYS', lock)
  for f = 1, #fields do
    if string.sub(fields[f], 1, 6) == 'owner:' or fields[f] == 'fence:' .. ARGV[1] then
      redis.call('HDEL', lock, fields[f])
    end
  end
end
return 'done'
