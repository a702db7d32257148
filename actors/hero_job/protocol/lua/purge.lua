-- Take a page of jobs out of a queue and end them.
--
-- Guarantee: an id leaves the queue in the same step in which its job ends, with its reply: never the one without the
-- other. What does not wait to be run any more (ended, deleted, run by somebody) only leaves the queue.
-- Transitions: created -> stopped, dispatched -> stopped
-- KEYS[1] the queue
-- ARGV[1] namespace prefix     ARGV[2] most ids to take     ARGV[3..7] retention (see ending.lua)
-- Returns {ids taken, jobs ended}
local ns, keep = ARGV[1], retention(3)
local taken, ended = 0, 0
for _, part in ipairs({ '', ':low', ':held', ':held:low' }) do
  local ids = taken < tonumber(ARGV[2]) and redis.call('LPOP', KEYS[1] .. part, tonumber(ARGV[2]) - taken)
  for _, id in ipairs(ids or {}) do
    taken = taken + 1
    local key = ns .. 'job:' .. id
    local v = redis.pcall('HMGET', key, 'status', 'extra')
    local status = not v.err and (v[1] and string.lower(v[1]) or redis.call('EXISTS', key) == 1 and 'dispatched')
    if status == 'dispatched' or status == 'created' then
      fail(ns, id, 'stopped', 'stopped', 'purged from its queue', keep, v[2])
      ended = ended + 1
    end
  end
end
settle_tails(ns, keep)
tell_all(ns, keep)
return { taken, ended }
