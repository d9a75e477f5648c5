-- Names any one page of a list.
--
-- KEYS  1 value, 2 lock
-- ARGV  1 the most bytes that a page's name has
-- Answers {} for no list | {name}. What is no list by its type, and a name that is too long for a page's, is told as ''.
--
-- Guarantees: changes nothing; the answer is short, whatever is there.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return {} end
if kind ~= 'hash' then return {''} end
local name = redis.call('HRANDFIELD', KEYS[1])
if #name > tonumber(ARGV[1]) then return {''} end
return {name}
