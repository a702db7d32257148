-- Stop a job in any state.
--
-- Guarantee: a job that is not running ends here. A running job is marked, and its actor is told through a list that
--   waits for it should it be cut off. A job that has ended keeps its result.
-- Transitions: created -> stopped, waiting_for_prerequisites -> stopped, scheduled -> stopped, dispatched -> stopped,
--   started -> stopping
-- KEYS[1] job hash
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] job id
-- ARGV[3..7] retention (see ending.lua)
-- Returns {0, its status now}, {1} no such job, {3, field, reason} its hash is damaged
local key, ns, id, retention = KEYS[1], ARGV[1], ARGV[2], read_retention(3)
local hash = redis.pcall('HMGET', key, 'status', 'owner', 'extra', 'attempt')
if hash.err then return { 3, '', 'it is not a hash' } end
if redis.call('EXISTS', key) == 0 then return { 1 } end
local status_text, owner, extra, attempt = unpack(hash)
local options = has_options(extra)
local status = read_status(status_text)
if status == 'started' or status == 'stopping' then
  if owner then
    -- Sent again with each request, since the answer that brought it to the actor may have been lost. The attempt keeps
    -- it from stopping a later run.
    local control = ns .. CONTROL .. string.match(owner, '^[^/]*')
    write_over('RPUSH', control, cjson.encode({ command = 'stop', job_id = id, attempt = attempt or cjson.null }))
    redis.call('LTRIM', control, -10000, -1)
    redis.call('PEXPIRE', control, 3600000)
  end
  if status == 'started' then
    status = 'stopping'
    redis.call('HSET', key, 'status', status, 'updated_at', at)
    note_event(id, status)
  end
elseif status == 'created' or status == 'dispatched' or status == 'scheduled' or status == 'waiting_for_prerequisites' then
  -- Its id may stay in a queue, where the claim drops it; so this is O(1).
  if status == 'scheduled' then redis.call('ZREM', ns .. SCHEDULED, id) end
  status = 'stopped'
  end_without_result(ns, id, status, 'stopped', 'stopped', retention, options)
end
settle_ended(ns, retention)
write_events(ns, retention)
return { 0, status }
