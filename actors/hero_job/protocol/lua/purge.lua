-- Take a page of ids out of a queue and end their jobs.
--
-- Guarantee: an id leaves the queue in the same step in which its job ends with its reply. The id of a job that does not
--   wait to run (it has ended, was deleted, or is running) only leaves the queue.
-- Transitions: created -> stopped, dispatched -> stopped
-- KEYS[1] the queue
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] most ids to take
-- ARGV[3..7] retention (see ending.lua)
-- Returns {ids taken, jobs ended}
local queue = KEYS[1]
local ns, max_ids, retention = ARGV[1], tonumber(ARGV[2]), read_retention(3)
local taken, count = 0, 0
for _, list in ipairs({ queue, queue .. LOW, queue .. HELD, queue .. HELD .. LOW }) do
  local ids = taken < max_ids and redis.call('LPOP', list, max_ids - taken)
  for _, id in ipairs(ids or {}) do
    taken = taken + 1
    local key = ns .. JOB .. id
    local hash = redis.pcall('HMGET', key, 'status', 'extra')
    if not hash.err then
      local status_text, extra = unpack(hash)
      local options = has_options(extra)
      local status = read_status(status_text)
      -- The id of a job that was created here and not started is from a former job.
      local waits = status == 'dispatched' or status == 'created' and not is_adopted(extra)
      if waits and (status_text or redis.call('EXISTS', key) == 1) then
        end_without_result(ns, id, 'stopped', 'stopped', 'purged from its queue', retention, options)
        count = count + 1
      end
    else
      end_damaged(ns, id, 'the job\'s key does not hold a hash', retention)
      count = count + 1
    end
  end
end
settle_ended(ns, retention)
write_events(ns, retention)
return { taken, count }
