-- Send a created job on its way.
--
-- Guarantee: a job is queued once; starting it twice is refused.
-- Transitions: created -> dispatched, created -> scheduled, created -> waiting_for_prerequisites, created -> error
-- KEYS[1] job hash
-- ARGV[1] namespace prefix     ARGV[2] job id     ARGV[3..7] retention (see ending.lua)
-- Returns {0} done, {1} no such job, {2, status} its status does not allow it, {3, field, reason} damaged
local ns, key, keep = ARGV[1], KEYS[1], retention(3)
local v = redis.pcall('HMGET', key, 'status', 'script_type', 'scriptType')
if v.err then return { 3, '', 'it is not a hash' } end
if redis.call('EXISTS', key) == 0 then return { 1 } end
-- A client of the Rust system may leave a hash without a status behind.
local status = v[1] and string.lower(v[1]) or 'created'
if status ~= 'created' then return { 2, status } end
if not queue_of(ns, v[2] or v[3]) then return { 3, 'script_type', 'missing or unknown' } end
dispatch(ns, ARGV[2], keep)
settle_tails(ns, keep)
tell_all(ns, keep)
return { 0 }
