-- Run a job again that ended without a result, because an operator asks for it.
--
-- Guarantee: only for a job that ended in error or was stopped. Its counters start again, and its old reply is removed.
-- Transitions: error -> dispatched, stopped -> dispatched
-- KEYS[1] job hash
-- KEYS[2] reply list
-- KEYS[3] dead letters
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] job id
-- ARGV[3..7] retention (see ending.lua)
-- Returns {0} done, {1} no such job, {2, status} its status does not allow it, {3, field, reason} its hash is damaged
local key, reply, dead_letters = KEYS[1], KEYS[2], KEYS[3]
local ns, id, retention = ARGV[1], ARGV[2], read_retention(3)
local hash = redis.pcall('HMGET', key, 'status', 'script_type', 'group', 'instance', 'script', 'batch',
  FOREIGN_SCRIPT_TYPE)
if hash.err then return { 3, '', 'it is not a hash' } end
if redis.call('EXISTS', key) == 0 then
  redis.call('ZREM', dead_letters, id)
  return { 1 }
end
local status_text, script_type, group, instance, script, batch_id, foreign_script_type = unpack(hash)
local status = read_status(status_text)
if status ~= 'error' and status ~= 'stopped' then return { 2, status } end
local queue = queue_of(ns, script_type or foreign_script_type, group, instance)
if not queue or not script then return { 3, 'script', 'is missing' } end
redis.call('HDEL', key, 'error', 'error_kind', 'error_at', 'finished_at', 'started_at', 'owner', 'redeliveries',
  'failures', 'pending', 'prerequisite_failed', 'expires_ms', 'due_ms')
redis.call('HSET', key, 'status', 'dispatched', 'updated_at', at)
redis.call('PERSIST', key)
redis.call('DEL', reply)
redis.call('ZREM', dead_letters, id)
if batch_id then
  contain(redis.call, 'HINCRBY', ns .. BATCH .. batch_id, status, -1)
  contain(redis.call, 'HINCRBY', ns .. BATCH .. batch_id, 'open', 1)
end
enqueue(ns, id, queue, nil, false)
note_event(id, 'dispatched')
write_events(ns, retention)
return { 0 }
