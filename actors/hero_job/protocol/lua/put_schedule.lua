-- Create a schedule, or replace the one of the same name.
--
-- Guarantee: definition and next tick are written together.
-- Transitions: (none)
-- KEYS[1] sorted set of next ticks
-- KEYS[2] hash of schedules
-- ARGV[1] name
-- ARGV[2] JSON of the schedule
-- ARGV[3] its first tick, in ms
-- Returns nothing
local ticks, schedules = KEYS[1], KEYS[2]
local name, definition, first_ms = ARGV[1], ARGV[2], ARGV[3]
redis.call('HSET', schedules, name, definition)
redis.call('ZADD', ticks, first_ms, name)
