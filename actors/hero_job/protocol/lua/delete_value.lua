-- Remove a value of a context.
--
-- Guarantee: the last value takes the hash of the context with it.
-- Transitions: (none)
-- KEYS[1] hash of the context
-- ARGV[1] name
-- Returns 1, or 0 when there was no value of this name
local context, name = KEYS[1], ARGV[1]
local existed = redis.call('HEXISTS', context, name)
put_value(context, name, nil)
return existed
