-- Do what is due: queue the jobs whose time has come, end the jobs that have expired, and go on with what the ends of
-- other jobs have left.
--
-- Guarantee: each job is moved once, no matter how many supervisors call this.
-- Transitions: scheduled -> dispatched, dispatched -> error, scheduled -> error, waiting_for_prerequisites -> error
-- KEYS[1] sorted set of delayed jobs
-- KEYS[2] sorted set of expiring jobs
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] most jobs to move, of each kind, and most records to touch for jobs that have ended
-- ARGV[3..7] retention (see ending.lua)
-- Returns {number moved, ms until the next job is due (-1: none is known)}
local scheduled, expiring = KEYS[1], KEYS[2]
local ns, max_jobs, retention, moved = ARGV[1], ARGV[2], read_retention(3), 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', scheduled, '-inf', now, 'LIMIT', 0, max_jobs)) do
  if links > 500 then break end
  redis.call('ZREM', scheduled, id)
  if status_of(ns .. JOB .. id) == 'scheduled' then
    contain_job(ns, id, retention, dispatch, ns, id, retention, 'due')
  end
  moved = moved + 1
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', expiring, '-inf', now, 'LIMIT', 0, max_jobs)) do
  redis.call('ZREM', expiring, id)
  local status = status_of(ns .. JOB .. id)
  if status == 'dispatched' or status == 'scheduled' or status == 'waiting_for_prerequisites' then
    redis.call('ZREM', scheduled, id)
    end_without_result(ns, id, 'error', 'expired', 'it was not started in its time', retention, true)
  end
  moved = moved + 1
end
-- What earlier calls have left, in no order; see settle_ended. HSCAN from its beginning finds nothing in a large hash of
-- which the first buckets are empty.
local unsettled = ns .. UNSETTLED
budget = tonumber(max_jobs)
local rest = contain(redis.call, 'HRANDFIELD', unsettled, max_jobs, 'WITHVALUES') or {}
for i = 1, #rest, 2 do
  redis.call('HDEL', unsettled, rest[i])
  ended[#ended + 1] = rest[i]
  ended[#ended + 1] = rest[i + 1]
end
moved = moved + #rest / 2
settle_ended(ns, retention)
write_events(ns, retention)
local soonest_ms = -1
for _, key in ipairs({ scheduled, expiring }) do
  local _, due = unpack(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES'))
  if due then
    local wait_ms = math.max(0, math.ceil(tonumber(due) - now))
    if soonest_ms < 0 or wait_ms < soonest_ms then soonest_ms = wait_ms end
  end
end
return { moved, soonest_ms }
