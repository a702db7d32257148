-- Send a created job on its way.
--
-- Guarantee: a job is queued once; a second start is refused.
-- Transitions: created -> dispatched, created -> scheduled, created -> waiting_for_prerequisites, created -> error
-- KEYS[1] job hash
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] job id
-- ARGV[3..7] retention (see ending.lua)
-- Returns {0} done, {1} no such job, {2, status} its status does not allow it, {3, field, reason} its hash is damaged
local key, ns, id, retention = KEYS[1], ARGV[1], ARGV[2], read_retention(3)
local hash = redis.pcall('HMGET', key, 'status', 'script_type', FOREIGN_SCRIPT_TYPE)
if hash.err then return { 3, '', 'it is not a hash' } end
if redis.call('EXISTS', key) == 0 then return { 1 } end
local status_text, script_type, foreign_script_type = unpack(hash)
local status = read_status(status_text)
if status ~= 'created' then return { 2, status } end
if not queue_of(ns, script_type or foreign_script_type) then return { 3, 'script_type', 'missing or unknown' } end
local _, reason = contain_job(ns, id, retention, dispatch, ns, id, retention)
settle_ended(ns, retention)
write_events(ns, retention)
if reason then return { 3, '', reason } end
return { 0 }
