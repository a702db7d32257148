-- Limits by key: how many jobs with one key run at once, and how many start in a while. Needs queue.

-- Take a place among the running jobs of a key; false when there is none, the job then waits in line.
-- Whoever is handed a freed place holds it from then on, so that the line is kept although the queue lies between.
local function enter_limit(ns, key, id, most)
  local running = ns .. 'limit:run:' .. key
  if redis.call('SISMEMBER', running, id) == 1 then return true end
  if redis.call('SCARD', running) < most then
    redis.call('SADD', running, id)
    return true
  end
  redis.call('RPUSH', ns .. 'limit:wait:' .. key, id)
  return false
end

-- Give a place back and hand it to the first in line that is still to be run.
local function leave_limit(ns, key, id)
  local running, waiting = ns .. 'limit:run:' .. key, ns .. 'limit:wait:' .. key
  if redis.call('SREM', running, id) == 0 then return end
  while true do
    local heir = redis.call('LPOP', waiting)
    if not heir then return end
    local v = redis.pcall('HMGET', ns .. 'job:' .. heir, 'status', 'script_type', 'group', 'instance')
    local queue = not v.err and v[1] == 'dispatched' and queue_of(ns, v[2], v[3], v[4])
    if queue then
      redis.call('SADD', running, heir)
      enqueue(ns, heir, queue, nil, true)
      return
    end
  end
end

-- May a job of this key start now? 0, or after how many ms. The generic cell rate algorithm: one number a key, the time
-- at which all that was allowed has been used up at the steady rate.
local function rate_wait_ms(ns, key, most, window_ms)
  local name = ns .. 'limit:rate:' .. key
  local step = window_ms / most
  local used_up = math.max(tonumber(redis.call('GET', name) or 0), now)
  local wait = used_up + step - window_ms - now
  if wait > 0 then return math.ceil(wait) end
  redis.call('SET', name, string.format('%.3f', used_up + step), 'PX', math.ceil(used_up + step - now) + 1)
  return 0
end
