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
-- ARGV[8] only if it has ended at this time or before; none for any time
-- Returns {0} done, {1} no such job, {2, status} its status does not allow it, {3, field, reason} its hash is damaged,
--   {4, id} this job holds its key of uniqueness
local key, reply, dead_letters = KEYS[1], KEYS[2], KEYS[3]
local ns, id, retention = ARGV[1], ARGV[2], read_retention(3)
local hash = redis.pcall('HMGET', key, 'status', 'script_type', 'group', 'instance', 'script', 'batch',
  FOREIGN_SCRIPT_TYPE, 'unique_key', 'unique_for_s', 'prerequisites', 'prerequisites_added')
if hash.err then return { 3, '', 'it is not a hash' } end
if redis.call('EXISTS', key) == 0 then
  redis.call('ZREM', dead_letters, id)
  return { 1 }
end
local status_text, script_type, group, instance, script, batch_id, foreign_script_type, unique_key, unique_for_s, prerequisites,
  prerequisites_added = unpack(hash)
local status = read_status(status_text)
if status ~= 'error' and status ~= 'stopped' then return { 2, status } end
-- What is repeated after a lost answer must not run a job a third time that has failed again meanwhile.
local updated_at = ARGV[8] and redis.call('HGET', key, 'updated_at')
if updated_at and #updated_at == #ARGV[8] and updated_at > ARGV[8] then return { 2, status } end
local queue = queue_of(ns, script_type or foreign_script_type, group, instance)
if not queue or not script then return { 3, 'script', 'is missing' } end
close_life(ns, id, retention)
if unique_key then
  local unique = ns .. UNIQUE .. unique_key
  local holder = redis.pcall('GET', unique)
  if type(holder) == 'string' and holder ~= id and redis.call('EXISTS', ns .. JOB .. holder) == 1 then
    return { 4, holder }
  end
  if holder ~= id then
    redis.call('SET', unique, id)
    local for_s = unique_for_s and contain(read_number, 'unique_for_s', unique_for_s)
    if for_s and for_s > 0 then redis.call('PEXPIRE', unique, math.ceil(for_s * 1000)) end
  end
end
for _, list in ipairs({ prerequisites or '[]', prerequisites_added or '[]' }) do
  for _, prerequisite in ipairs(contain(read_ids, '', list) or {}) do keep_for(ns, id, prerequisite) end
end
local error_kind, message, finished_at, started_at = unpack(redis.call('HMGET', key, 'error_kind', 'error', 'finished_at',
  'started_at'))
if started_at then keep_attempt(key, status, error_kind, message, finished_at) end
redis.call('HDEL', key, 'error', 'error_kind', 'error_at', 'finished_at', 'started_at', 'owner', 'redeliveries',
  'rerun_reason', 'suspect', 'failures', 'pending', 'prerequisite_failed', 'expires_ms', 'due_ms')
redis.call('HSET', key, 'status', 'dispatched', 'updated_at', at)
redis.call('PERSIST', key)
redis.call('DEL', reply)
redis.call('ZREM', dead_letters, id)
if batch_id then
  contain(reopen_batch, ns, batch_id, status)
end
enqueue(ns, id, queue, nil, false)
note_event(id, 'dispatched')
write_events(ns, retention)
return { 0 }
