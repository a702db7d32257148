-- List the schedules whose next tick has come.
--
-- Guarantee: changes nothing, except that it drops ticks of schedules that no longer exist.
-- Transitions: (none)
-- KEYS[1] sorted set of next ticks
-- KEYS[2] hash of schedules
-- ARGV[1] most schedules to list
-- ARGV[2] how many of the first ones to leave out
-- Returns {now, ms until the next tick that is yet to come (-1: none), {name, tick in ms, schedule as JSON, id of its last job} ...}
local ticks, schedules, max_schedules, skip = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local found = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', ticks, '-inf', now, 'LIMIT', skip, max_schedules)) do
  local schedule, last_job_id = unpack(redis.call('HMGET', schedules, name, name .. ' last'))
  if schedule then
    found[#found + 1] = { name, redis.call('ZSCORE', ticks, name), schedule, last_job_id }
  else
    redis.call('ZREM', ticks, name)
  end
end
local _, next_ms = unpack(redis.call('ZRANGEBYSCORE', ticks, '(' .. now, '(inf', 'WITHSCORES', 'LIMIT', 0, 1))
return { now, next_ms and math.ceil(tonumber(next_ms) - now) or -1, found }
