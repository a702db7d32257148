-- Add to a whole number that a context keeps; it is 0 until it is set.
--
-- Guarantee: two additions at the same time both count; the context stays within its bounds.
-- Transitions: (none)
-- KEYS[1] hash of the context
-- KEYS[2] hash of the ends of its values
-- ARGV[1] name
-- ARGV[2] whole number to add
-- ARGV[3] most values in the context
-- ARGV[4] most bytes in the context
-- Returns {code, text}: {0, sum} done, {2, sum} too many values, {3, sum} too many bytes, {4, value} the value is not a
--   whole number, {5, value} the sum would leave the range from -2^53 to 2^53
local context, ends, name, addend = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local max_values, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
end_value(context, ends, name)
local old = redis.call('HGET', context, name) or '0'
if not string.match(old, '^%-?%d+$') then return { 4, old } end
local sum = tonumber(old) + addend
-- Lua computes with doubles: beyond 2^53 whole numbers are no longer exact.
if math.abs(sum) > 9007199254740991 then return { 5, old } end
local text = string.format('%.0f', sum)
return { keep_value(context, ends, name, text, max_values, max_bytes), text }
