-- Read a value of a context.
--
-- Guarantee: a value whose time is over is gone.
-- Transitions: (none)
-- KEYS[1] hash of the context
-- KEYS[2] hash of the ends of its values
-- ARGV[1] name
-- Returns the value; nil when there is none
end_value(KEYS[1], KEYS[2], ARGV[1])
return redis.call('HGET', KEYS[1], ARGV[1])
