-- How jobs end, and what their end sets free. Needs time, queue, limits.
--
-- Every script that ends a job may, by settle_tails, move the jobs that wait for it.
-- Transitions: waiting_for_prerequisites -> dispatched, waiting_for_prerequisites -> scheduled,
--   waiting_for_prerequisites -> error

-- Transitions of this call: id, status, id, status ... One stream entry tells them all: an entry a job costs the server
-- more than everything else that a settlement writes.
local told = {}
-- Ended jobs with more to them than a reply, id, status ...: worked off by settle_tails, in turn, without recursion.
local tails = {}
local failures = false

local function tell(id, status)
  told[#told + 1] = id
  told[#told + 1] = status
end

-- Put the transitions of this call on the event stream. In pieces: unpack has a limit of some thousands.
local function tell_all(ns, keep)
  for first = 1, #told, 1000 do
    redis.call('XADD', ns .. 'events', 'MAXLEN', '~', keep.events, '*', unpack(told, first, math.min(first + 999, #told)))
  end
  if failures then
    local dead = ns .. 'q:dead'
    redis.call('ZREMRANGEBYSCORE', dead, '-inf', now - keep.failure_ms)
    redis.call('ZREMRANGEBYRANK', dead, 0, -1 - keep.dead)
    redis.call('PEXPIRE', dead, keep.failure_ms)
  end
end

-- Retention, from four arguments of the script and on: reply, finished job, failed job (ms), events, dead letters.
local function retention(first)
  return { reply_ms = ARGV[first], result_ms = ARGV[first + 1], failure_ms = tonumber(ARGV[first + 2]),
    events = ARGV[first + 3], dead = tonumber(ARGV[first + 4]) }
end

-- What every terminal transition leaves behind, once: the reply, its expiry, the job's expiry, word of it.
-- Status and result fields are the caller's to write; so are the calls of settle_tails and tell_all at the end.
local function conclude(ns, id, status, reply, keep, extra)
  local reply_key = ns .. 'q:reply:' .. id
  redis.call('RPUSH', reply_key, reply)
  redis.call('PEXPIRE', reply_key, keep.reply_ms)
  redis.call('PEXPIRE', ns .. 'job:' .. id, status == 'finished' and keep.result_ms or keep.failure_ms)
  if status == 'error' then
    redis.call('ZADD', ns .. 'q:dead', now, id)
    failures = true
  end
  tell(id, status)
  if extra then
    tails[#tails + 1] = id
    tails[#tails + 1] = status
  end
end

-- End a job without a result, by the runtime's own decision, whatever its key holds.
local function fail(ns, id, status, kind, message, keep, extra)
  redis.call('HSET', ns .. 'job:' .. id, 'id', id, 'status', status, 'error', message, 'error_kind', kind,
    'finished_at', at, 'updated_at', at)
  local reply = cjson.encode({ job_id = id, status = status, error = message, error_kind = kind, output = cjson.null })
  conclude(ns, id, status, reply, keep, extra)
end

-- Send a job on its way: to wait for its prerequisites, for its time, or to its queue. Returns its new status.
-- again: it has been on its way before (a freed prerequisite, a due time), so its expiry is set already.
local function dispatch(ns, id, keep, again)
  local key = ns .. 'job:' .. id
  local v = redis.call('HMGET', key, 'script_type', 'group', 'instance', 'priority', 'extra', 'scriptType')
  local queue = queue_of(ns, v[1] or v[6], v[2], v[3])
  if not queue then
    fail(ns, id, 'error', 'damaged', 'script_type is missing or unknown', keep, v[5])
    return 'error'
  end
  local status = 'dispatched'
  if v[5] then
    local x = redis.call('HMGET', key, 'pending', 'prerequisite_failed', 'due_ms', 'delay_s', 'expires_s')
    if x[5] and not again then
      local until_ms = now + tonumber(x[5]) * 1000
      redis.call('HSET', key, 'expires_ms', until_ms)
      redis.call('ZADD', ns .. 'q:expiring', until_ms, id)
    end
    if x[2] then
      fail(ns, id, 'error', 'prerequisite_failed', x[2], keep, true)
      return 'error'
    end
    if tonumber(x[1] or 0) > 0 then
      status = 'waiting_for_prerequisites'
    elseif again ~= 'due' then
      local due = math.max(tonumber(x[3] or 0), now + tonumber(x[4] or 0) * 1000)
      if due > now then
        status = 'scheduled'
        redis.call('ZADD', ns .. 'q:scheduled', due, id)
      end
    end
  end
  redis.call('HSET', key, 'status', status, 'updated_at', at)
  if status == 'dispatched' then enqueue(ns, id, queue, v[4], false) end
  tell(id, status)
  return status
end

-- Work off what the ended jobs of this call set free: uniqueness, places in limits, batches, dependents.
local function settle_tails(ns, keep)
  local i = 1
  while i <= #tails do
    local id, status = tails[i], tails[i + 1]
    i = i + 2
    local f = redis.call('HMGET', ns .. 'job:' .. id, 'unique_key', 'unique_for_s', 'concurrency_key', 'batch')
    redis.call('ZREM', ns .. 'q:expiring', id)
    if f[1] and not f[2] and redis.call('GET', ns .. 'meta:unique:' .. f[1]) == id then
      redis.call('DEL', ns .. 'meta:unique:' .. f[1])
    end
    if f[3] then leave_limit(ns, f[3], id) end
    if f[4] then
      local batch = ns .. 'batch:' .. f[4]
      redis.call('HINCRBY', batch, status, 1)
      if redis.call('HINCRBY', batch, 'open', -1) == 0 then
        redis.call('RPUSH', ns .. 'q:reply:batch:' .. f[4], 'ended')
        redis.call('PEXPIRE', ns .. 'q:reply:batch:' .. f[4], keep.failure_ms)
        redis.call('PEXPIRE', batch, keep.failure_ms)
        tell('batch:' .. f[4], 'ended')
      end
    end
    local dependents = ns .. 'meta:dependents:' .. id
    for _, waiting in ipairs(redis.call('SMEMBERS', dependents)) do
      local key = ns .. 'job:' .. waiting
      local w = redis.pcall('HMGET', key, 'status', 'run_after_failure')
      if not w.err and (w[1] == 'created' or w[1] == 'waiting_for_prerequisites') then
        local left = redis.call('HINCRBY', key, 'pending', -1)
        if status ~= 'finished' and w[2] ~= 'true' then
          local message = 'its prerequisite ' .. id .. ' ended as ' .. status
          if w[1] == 'created' then
            redis.call('HSET', key, 'prerequisite_failed', message)
          else
            fail(ns, waiting, 'error', 'prerequisite_failed', message, keep, true)
          end
        elseif left <= 0 and w[1] == 'waiting_for_prerequisites' then
          dispatch(ns, waiting, keep, 'released')
        end
      end
    end
    redis.call('DEL', dependents)
  end
  tails = {}
end
