-- Delete a job that is not running. Its id may stay in a queue, where the claim drops it; so this is O(1).
--
-- Guarantee: a running job is never deleted; a job with options that has not ended is stopped first, which releases the
--   jobs, keys and limits that depend on it.
-- Transitions: (any but started, stopping) -> (none)
-- KEYS[1] job hash
-- KEYS[2] reply list
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] job id
-- ARGV[3..7] retention (see ending.lua)
-- Returns {0} deleted, {1} no such job, {2, status} it is running
local ns, id, retention = ARGV[1], ARGV[2], read_retention(3)
local hash = redis.pcall('HMGET', KEYS[1], 'status', 'extra')
if not hash.err then
  local status_text, extra = unpack(hash)
  local options = has_options(extra)
  local status = read_status(status_text)
  if status == 'started' or status == 'stopping' then return { 2, status } end
  if status == 'scheduled' then redis.call('ZREM', ns .. SCHEDULED, id) end
  if options and not is_terminal(status) then
    end_without_result(ns, id, 'stopped', 'stopped', 'deleted', retention, true)
    settle_ended(ns, retention)
    write_events(ns, retention)
  end
end
close_life(ns, id, retention)
if redis.call('DEL', KEYS[1]) == 0 then return { 1 } end
redis.call('UNLINK', KEYS[2], ns .. LOG .. id, ns .. READERS .. id)
redis.call('ZREM', ns .. DEAD_LETTERS, id)
return { 0 }
