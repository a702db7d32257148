-- Remove a job that does not run. Its id may stay in a queue, where the claim drops it: that keeps this O(1).
--
-- Guarantee: a running job is never removed under its actor; one that others wait for is stopped first.
-- Transitions: (any but started, stopping) -> (none)
-- KEYS[1] job hash     KEYS[2] reply list
-- ARGV[1] namespace prefix     ARGV[2] job id     ARGV[3..7] retention (see ending.lua)
-- Returns {0} removed, {1} no such job, {2, status} it runs
local ns, id, keep = ARGV[1], ARGV[2], retention(3)
local v = redis.pcall('HMGET', KEYS[1], 'status', 'extra')
if not v.err then
  local status = string.lower(v[1] or '')
  if status == 'started' or status == 'stopping' then return { 2, status } end
  if status == 'scheduled' then redis.call('ZREM', ns .. 'q:scheduled', id) end
  if v[2] and status ~= 'finished' and status ~= 'error' and status ~= 'stopped' then
    fail(ns, id, 'stopped', 'stopped', 'deleted', keep, true)
    settle_tails(ns, keep)
    tell_all(ns, keep)
  end
end
if redis.call('DEL', KEYS[1]) == 0 then return { 1 } end
redis.call('DEL', KEYS[2], ns .. 'log:' .. id)
redis.call('ZREM', ns .. 'q:dead', id)
return { 0 }
