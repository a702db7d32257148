-- Remove a job that does not run. Its id may stay in a queue, where the claim drops it: that keeps this O(1).
--
-- Guarantee: a running job is never removed under its actor.
-- Transitions: (any but started, stopping) -> (none)
-- KEYS[1] job hash     KEYS[2] reply list
-- Returns {0} removed, {1} no such job, {2, status} it runs
local status = redis.pcall('HGET', KEYS[1], 'status')
if type(status) == 'string' then
  local s = string.lower(status)
  if s == 'started' or s == 'stopping' then return { 2, s } end
end
if redis.call('DEL', KEYS[1]) == 0 then return { 1 } end
redis.call('DEL', KEYS[2])
return { 0 }
