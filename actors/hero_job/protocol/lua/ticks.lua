-- The schedules whose next tick has come.
--
-- Guarantee: reads only.
-- Transitions: (none)
-- KEYS[1] sorted set of next ticks     KEYS[2] hash of schedules     ARGV[1] most
-- Returns {now, ms until a tick is due (-1: none), {name, ms of the tick, JSON of the schedule, id of its last job} ...}
local found = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local schedule = redis.call('HGET', KEYS[2], name)
  if schedule then
    found[#found + 1] = { name, redis.call('ZSCORE', KEYS[1], name), schedule, redis.call('HGET', KEYS[2], name .. ' last') }
  else
    redis.call('ZREM', KEYS[1], name)
  end
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return { now, first[2] and math.max(0, math.ceil(tonumber(first[2]) - now)) or -1, found }
