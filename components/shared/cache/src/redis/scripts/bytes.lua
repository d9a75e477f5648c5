-- Put before a script whose arguments came through JSON, which holds text alone: each byte was sent as the character of
-- its number, and from 128 on that is two bytes of UTF-8, 194 or 195 and another. Turns them back.
local bytes = {}
for byte = 128, 255 do bytes[string.char(byte < 192 and 194 or 195, byte < 192 and byte or byte - 64)] = string.char(byte) end
for i = 1, #ARGV do ARGV[i] = string.gsub(ARGV[i], '[\194\195].', bytes) end
