-- Hand claimed but unstarted jobs back to the head of their queues, in their old order.
--
-- Guarantee: only the owner hands back, once a claim; such a claim is not shown as an attempt.
-- Transitions: started -> dispatched, stopping -> stopped
-- KEYS[1] claimed list of the lane
-- ARGV[1] namespace prefix     ARGV[2] owner: incarnation/lane     ARGV[3..7] retention (see ending.lua)
-- ARGV[8..] id, attempt ... in the order of the queue
-- Returns the number handed back; jobs that were to be stopped end here
local ns, me, count, keep = ARGV[1], ARGV[2], 0, retention(3)
for i = #ARGV - 1, 8, -2 do
  local id, attempt = ARGV[i], ARGV[i + 1]
  local key = ns .. 'job:' .. id
  local v = redis.pcall('HMGET', key, 'status', 'owner', 'attempt', 'script_type', 'group', 'instance', 'scriptType',
    'extra')
  if not v.err and v[1] == 'started' and v[2] == me and v[3] == attempt then
    local queue = queue_of(ns, v[4] or v[7], v[5], v[6])
    if queue then
      redis.call('HSET', key, 'status', 'dispatched', 'updated_at', at)
      redis.call('HDEL', key, 'owner', 'started_at')
      -- Counted apart: the attempt is the fencing token of a claim, and no token is given twice.
      redis.call('HINCRBY', key, 'released', 1)
      enqueue(ns, id, queue, nil, true)
      redis.call('LREM', KEYS[1], 1, id)
      tell(id, 'dispatched')
      count = count + 1
    end
  elseif not v.err and v[1] == 'stopping' and v[2] == me and v[3] == attempt then
    fail(ns, id, 'stopped', 'stopped', 'stopped', keep, v[8]) -- it never began
    redis.call('LREM', KEYS[1], 1, id)
  end
end
settle_tails(ns, keep)
tell_all(ns, keep)
return count
