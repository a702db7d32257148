-- Move a schedule on to its next tick, after the jobs of the last one were created.
--
-- Guarantee: only one of several supervisors moves it; a schedule that was changed meanwhile is left alone.
-- Transitions: (none)
-- KEYS[1] sorted set of next ticks
-- KEYS[2] hash of schedules
-- ARGV[1] name
-- ARGV[2] the tick that was done, in ms
-- ARGV[3] the next tick, in ms; '' for none
-- ARGV[4] id of the last job; '' for none
-- Returns 1 moved, 0 it was not at that tick
local ticks, schedules = KEYS[1], KEYS[2]
local name, done_ms, next_ms, last_job_id = unpack(ARGV)
if tonumber(redis.call('ZSCORE', ticks, name) or -1) ~= tonumber(done_ms) then return 0 end
if next_ms == '' then redis.call('ZREM', ticks, name) else redis.call('ZADD', ticks, next_ms, name) end
if last_job_id ~= '' then redis.call('HSET', schedules, name .. ' last', last_job_id) end
return 1
