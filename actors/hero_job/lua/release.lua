-- Hand claimed but unstarted jobs back to the head of their queues, in their old order.
--
-- Guarantee: only the owner hands back; such a claim does not count as an attempt.
-- Transitions: started -> dispatched
-- KEYS[1] claimed list of the lane
-- ARGV[1] namespace prefix     ARGV[2] incarnation     ARGV[3..7] retention (see ending.lua)
-- ARGV[8..] id, attempt ... in the order of the queue
-- Returns the number handed back
local ns, me, count = ARGV[1], ARGV[2], 0
for i = #ARGV - 1, 8, -2 do
  local id, attempt = ARGV[i], ARGV[i + 1]
  local key = ns .. 'job:' .. id
  local v = redis.pcall('HMGET', key, 'status', 'owner', 'attempt', 'script_type', 'group', 'instance', 'scriptType')
  if not v.err and v[1] == 'started' and v[2] == me and v[3] == attempt then
    local queue = queue_of(ns, v[4] or v[7], v[5], v[6])
    if queue then
      redis.call('HSET', key, 'status', 'dispatched', 'attempt', tonumber(attempt) - 1, 'updated_at', at)
      redis.call('HDEL', key, 'owner', 'started_at')
      enqueue(ns, id, queue, nil, true)
      redis.call('LREM', KEYS[1], 1, id)
      tell(id, 'dispatched')
      count = count + 1
    end
  end
end
tell_all(ns, retention(3))
return count
