-- Delete a schedule; the jobs that it created stay.
--
-- Guarantee: definition, next tick and the id of the last job go together.
-- Transitions: (none)
-- KEYS[1] sorted set of next ticks
-- KEYS[2] hash of schedules
-- ARGV[1] name
-- Returns 1, or 0 when there is no schedule of this name
local ticks, schedules, name = KEYS[1], KEYS[2], ARGV[1]
redis.call('ZREM', ticks, name)
redis.call('HDEL', schedules, name .. ' last')
return redis.call('HDEL', schedules, name)
