-- Say for how long a value of a context is kept.
--
-- Guarantee: the hash of ends has names of values only.
-- Transitions: (none)
-- KEYS[1] hash of the context
-- KEYS[2] hash of the ends of its values
-- ARGV[1] name
-- ARGV[2] for how many ms from now; '' for ever
-- Returns 1, or 0 when there is no value of this name
local context, ends, name, kept_ms = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
end_value(context, ends, name)
if redis.call('HEXISTS', context, name) == 0 then return 0 end
if kept_ms == '' then
  redis.call('HDEL', ends, name)
else
  redis.call('HSET', ends, name, now + tonumber(kept_ms))
end
return 1
