-- Remove a value of a context.
--
-- Guarantee: the last value takes the hash of the context with it.
-- Transitions: (none)
-- KEYS[1] hash of the context
-- KEYS[2] hash of the ends of its values
-- ARGV[1] name
-- Returns 1, or 0 when there was no value of this name
local context, ends, name = KEYS[1], KEYS[2], ARGV[1]
end_value(context, ends, name)
local existed = redis.call('HEXISTS', context, name)
put_value(context, name, nil)
redis.call('HDEL', ends, name)
return existed
