-- Do what is due: queue the jobs whose time has come, end those that were not started in theirs.
--
-- Guarantee: however many supervisors call it, each job is moved once.
-- Transitions: scheduled -> dispatched, dispatched -> error, scheduled -> error, waiting_for_prerequisites -> error
-- KEYS[1] sorted set of scheduled jobs     KEYS[2] sorted set of expiring jobs
-- ARGV[1] namespace prefix     ARGV[2] most jobs to move, of each kind     ARGV[3..7] retention (see ending.lua)
-- Returns {moved, ms until something is due (-1: nothing is known)}
local ns, most, keep, moved = ARGV[1], ARGV[2], retention(3), 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, most)) do
  redis.call('ZREM', KEYS[1], id)
  if redis.pcall('HGET', ns .. 'job:' .. id, 'status') == 'scheduled' then dispatch(ns, id, keep, 'due') end
  moved = moved + 1
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, most)) do
  redis.call('ZREM', KEYS[2], id)
  local status = redis.pcall('HGET', ns .. 'job:' .. id, 'status')
  if status == 'dispatched' or status == 'scheduled' or status == 'waiting_for_prerequisites' then
    redis.call('ZREM', KEYS[1], id)
    fail(ns, id, 'error', 'expired', 'it was not started in its time', keep, true)
  end
  moved = moved + 1
end
settle_tails(ns, keep)
tell_all(ns, keep)
local soonest = -1
for k = 1, 2 do
  local first = redis.call('ZRANGE', KEYS[k], 0, 0, 'WITHSCORES')
  if first[2] then
    local wait_ms = math.max(0, math.ceil(tonumber(first[2]) - now))
    if soonest < 0 or wait_ms < soonest then soonest = wait_ms end
  end
end
return { moved, soonest }
