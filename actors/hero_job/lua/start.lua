-- Put a created job on its queue.
--
-- Guarantee: a job is queued once; starting it twice is refused.
-- Transitions: created -> dispatched
-- KEYS[1] job hash
-- ARGV[1] namespace prefix     ARGV[2] job id
-- Returns {0} done, {1} no such job, {2, status} its status does not allow it, {3, field, reason} damaged
local key = KEYS[1]
local v = redis.pcall('HMGET', key, 'status', 'script_type', 'group', 'instance', 'scriptType')
if v.err then return { 3, '', 'it is not a hash' } end
if redis.call('EXISTS', key) == 0 then return { 1 } end
-- A client of the Rust system may leave a hash without a status behind.
local status = v[1] and string.lower(v[1]) or 'created'
if status ~= 'created' then return { 2, status } end
local queue = queue_of(ARGV[1], v[2] or v[5], v[3], v[4])
if not queue then return { 3, 'script_type', 'missing or unknown' } end
redis.call('HSET', key, 'status', 'dispatched', 'updated_at', iso(now_ms()))
redis.call('RPUSH', queue, ARGV[2])
return { 0 }
