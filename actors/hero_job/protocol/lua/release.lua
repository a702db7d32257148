-- Hand claimed but unstarted jobs back to the head of their queues, in their old order.
--
-- Guarantee: only the owner hands a job back, once per claim; such a claim is not shown as an attempt.
-- Transitions: started -> dispatched, stopping -> stopped, started -> error
-- KEYS[1] claimed list of the lane
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] owner: incarnation/lane
-- ARGV[3..7] retention (see ending.lua)
-- ARGV[8..] id, attempt ... in the order of the queue
-- Returns the number of jobs handed back; a job that was asked to stop ends here instead
local claimed = KEYS[1]
local ns, me, count, retention = ARGV[1], ARGV[2], 0, read_retention(3)

local function release(id, key, queue)
  redis.call('HSET', key, 'status', 'dispatched', 'updated_at', at)
  redis.call('HDEL', key, 'owner', 'started_at')
  -- Counted separately: the attempt is the fencing token of a claim, and no token is used twice.
  redis.call('HINCRBY', key, 'released', 1)
  local expires_ms = redis.call('HGET', key, 'expires_ms')
  if expires_ms then redis.call('ZADD', ns .. EXPIRING, read_number('expires_ms', expires_ms), id) end
  enqueue(ns, id, queue, nil, true)
  redis.call('LREM', claimed, 1, id)
  note_event(id, 'dispatched')
  count = count + 1
end

for i = #ARGV - 1, 8, -2 do
  local id, my_attempt = ARGV[i], ARGV[i + 1]
  local key = ns .. JOB .. id
  local hash = redis.pcall('HMGET', key, 'status', 'owner', 'attempt', 'script_type', 'group', 'instance', 'extra',
    FOREIGN_SCRIPT_TYPE)
  if not hash.err then
    local status_text, owner, attempt, script_type, group, instance, extra, foreign_script_type = unpack(hash)
    local options = has_options(extra)
    local status = read_status(status_text)
    local mine = owner == me and attempt == my_attempt
    if mine and status == 'started' then
      local queue = queue_of(ns, script_type or foreign_script_type, group, instance)
      if queue then contain_job(ns, id, retention, release, id, key, queue) end
    elseif mine and status == 'stopping' then
      end_without_result(ns, id, 'stopped', 'stopped', 'stopped', retention, options) -- it never ran
      redis.call('LREM', claimed, 1, id)
    end
  end
end
settle_ended(ns, retention)
write_events(ns, retention)
return count
