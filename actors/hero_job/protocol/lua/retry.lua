-- Run a job again that ended without a result: a new life by an operator's word.
--
-- Guarantee: only a job that ended in error or was stopped; its counters start anew, its old reply is taken away.
-- Transitions: error -> dispatched, stopped -> dispatched
-- KEYS[1] job hash     KEYS[2] reply list     KEYS[3] dead letters
-- ARGV[1] namespace prefix     ARGV[2] job id     ARGV[3..7] retention (see ending.lua)
-- Returns {0} done, {1} no such job, {2, status} its status does not allow it, {3, field, reason} damaged
local ns, key, id, keep = ARGV[1], KEYS[1], ARGV[2], retention(3)
local v = redis.pcall('HMGET', key, 'status', 'script_type', 'group', 'instance', 'scriptType', 'script', 'batch')
if v.err then return { 3, '', 'it is not a hash' } end
if redis.call('EXISTS', key) == 0 then
  redis.call('ZREM', KEYS[3], id)
  return { 1 }
end
local status = v[1] and string.lower(v[1]) or 'created'
if status ~= 'error' and status ~= 'stopped' then return { 2, status } end
local queue = queue_of(ns, v[2] or v[5], v[3], v[4])
if not queue or not v[6] then return { 3, 'script', 'is missing' } end
redis.call('HDEL', key, 'error', 'error_kind', 'error_at', 'finished_at', 'started_at', 'owner', 'redeliveries',
  'failures', 'pending', 'prerequisite_failed', 'expires_ms', 'due_ms')
redis.call('HSET', key, 'status', 'dispatched', 'updated_at', at)
redis.call('PERSIST', key)
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], id)
if v[7] then
  redis.call('HINCRBY', ns .. 'batch:' .. v[7], status, -1)
  redis.call('HINCRBY', ns .. 'batch:' .. v[7], 'open', 1)
end
enqueue(ns, id, queue, nil, false)
tell(id, 'dispatched')
tell_all(ns, keep)
return { 0 }
