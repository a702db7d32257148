-- Keep a value of a context.
--
-- Guarantee: the context stays within its bounds, no matter how many actors write.
-- Transitions: (none)
-- KEYS[1] hash of the context
-- ARGV[1] name
-- ARGV[2] value
-- ARGV[3] '1' to leave an existing value as it is
-- ARGV[4] most values in the context
-- ARGV[5] most bytes in the context
-- Returns 0 done, 1 left as it was, 2 too many values, 3 too many bytes
local context, name, value, only_new = KEYS[1], ARGV[1], ARGV[2], ARGV[3] == '1'
local max_values, max_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
if only_new and redis.call('HEXISTS', context, name) == 1 then return 1 end
return put_value(context, name, value, max_values, max_bytes)
