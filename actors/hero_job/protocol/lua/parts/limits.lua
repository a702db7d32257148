-- Limits by key: how many jobs with one key run simultaneously, and how many start in a period. Needs spellings, damage, queue.

-- How many more records this call may touch for jobs that have ended. Another call does the rest, from `q:unsettled`, so
-- that no call holds up the server.
local budget = 100

-- Take a place among the running jobs of a concurrency key. Returns false if all are taken; the job then waits in line.
-- A job that was handed a freed place already holds it here, so jobs keep their order although they pass the queue.
local function enter_limit(ns, key, id, max_running)
  local running = ns .. LIMIT_RUNNING .. key
  local member = redis.pcall('SISMEMBER', running, id)
  if type(member) == 'table' then redis.call('DEL', running) end -- not a set, so nobody holds a place in it
  if member == 1 then return true end
  if redis.call('SCARD', running) < max_running then
    redis.call('SADD', running, id)
    return true
  end
  write_over('RPUSH', ns .. LIMIT_WAITING .. key, id)
  write_over('ZADD', ns .. BLOCKED, now, id)
  return false
end

-- Give a place back and hand it to the first job in line that is still waiting to run.
-- id: the job that held it; nil if it was given back in an earlier call.
local function leave_limit(ns, key, id)
  local running, waiting = ns .. LIMIT_RUNNING .. key, ns .. LIMIT_WAITING .. key
  if id and redis.call('SREM', running, id) == 0 then return end
  while true do
    if budget <= 0 then
      redis.call('HSET', ns .. UNSETTLED, LIMIT_WAITING .. key, 'line')
      return
    end
    budget = budget - 1
    local heir = redis.pcall('LPOP', waiting)
    if type(heir) ~= 'string' then return end
    local hash = redis.pcall('HMGET', ns .. JOB .. heir, 'status', 'script_type', 'group', 'instance',
      FOREIGN_SCRIPT_TYPE, 'concurrency_key', 'place')
    redis.pcall('ZREM', ns .. BLOCKED, heir)
    if not hash.err then
      local status, script_type, group, instance, foreign_script_type, concurrency_key, place = unpack(hash)
      -- A job with another key has only the id of the one that stood here.
      local queue = read_status(status) == 'dispatched' and (concurrency_key or place) == key and
        queue_of(ns, script_type or foreign_script_type, group, instance)
      if queue then
        redis.call('SADD', running, heir)
        enqueue(ns, heir, queue, nil, true)
        return
      end
    end
  end
end

-- May a job with this rate key start now? Returns 0, or the ms to wait. This is the generic cell rate algorithm: it
-- keeps one number per key, the time at which everything allowed so far is used up at the steady rate.
local function rate_wait_ms(ns, key, max_starts, window_ms)
  local name = ns .. LIMIT_RATE .. key
  local step = window_ms / max_starts
  if not (step > 0 and step < math.huge) then error('rate_max and rate_window_s allow no start', 0) end
  local used_up = redis.pcall('GET', name)
  -- Later than one window can only be from before the clock was set back.
  used_up = math.min(math.max(type(used_up) == 'string' and tonumber(used_up) or 0, now), now + window_ms)
  local wait = used_up + step - window_ms - now
  if wait > 0 then return math.ceil(wait) end
  redis.call('SET', name, string.format('%.3f', used_up + step), 'PX', math.ceil(used_up + step - now) + 1)
  return 0
end
