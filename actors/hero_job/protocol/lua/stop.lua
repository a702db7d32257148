-- Stop a job, wherever it is.
--
-- Guarantee: a job that has not begun ends here; one that runs is marked and its actor told, through a list, so that the
-- word waits for an actor that is cut off; one that has ended keeps its result.
-- Transitions: created -> stopped, waiting_for_prerequisites -> stopped, scheduled -> stopped, dispatched -> stopped,
--   started -> stopping
-- KEYS[1] job hash
-- ARGV[1] namespace prefix     ARGV[2] job id     ARGV[3..7] retention (see ending.lua)
-- Returns {0, status that it has now}, {1} no such job, {3, field, reason} damaged
local ns, key, id, keep = ARGV[1], KEYS[1], ARGV[2], retention(3)
local v = redis.pcall('HMGET', key, 'status', 'owner', 'extra')
if v.err then return { 3, '', 'it is not a hash' } end
if redis.call('EXISTS', key) == 0 then return { 1 } end
local status = v[1] and string.lower(v[1]) or 'created'
if status == 'started' then
  redis.call('HSET', key, 'status', 'stopping', 'updated_at', at)
  if v[2] then
    local control = ns .. 'q:ctl:actor:' .. string.match(v[2], '^[^/]*')
    redis.call('RPUSH', control, cjson.encode({ command = 'stop', job_id = id }))
    redis.call('PEXPIRE', control, 3600000)
  end
  status = 'stopping'
  tell(id, status)
elseif status == 'created' or status == 'dispatched' or status == 'scheduled' or status == 'waiting_for_prerequisites' then
  -- Its id may stay in a queue, where the claim drops it: that keeps this O(1).
  if status == 'scheduled' then redis.call('ZREM', ns .. 'q:scheduled', id) end
  fail(ns, id, 'stopped', 'stopped', 'stopped', keep, v[3])
  status = 'stopped'
end
settle_tails(ns, keep)
tell_all(ns, keep)
return { 0, status }
