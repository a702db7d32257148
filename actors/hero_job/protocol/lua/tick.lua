-- Move a schedule on to its next tick, after the jobs of this one were created.
--
-- Guarantee: of many supervisors one moves it; a schedule that was changed meanwhile is left alone.
-- Transitions: (none)
-- KEYS[1] sorted set of next ticks     KEYS[2] hash of schedules
-- ARGV[1] name     ARGV[2] ms of the tick that was done     ARGV[3] ms of the next, '' for none     ARGV[4] id of the last job
-- Returns 1, or 0 when it was not at that tick
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1) ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '' then redis.call('ZREM', KEYS[1], ARGV[1]) else redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[2], ARGV[1] .. ' last', ARGV[4]) end
return 1
