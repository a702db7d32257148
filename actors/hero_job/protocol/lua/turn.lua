-- One turn of a lane: settle what it has run, claim what it runs next. The only script on the hot path.
--
-- Guarantees: a settlement counts only from the owner with the same attempt while the job runs (the fence), and counts
-- once; a claimed id is in the lane's claimed list until it is settled or handed back, so that neither a lost answer nor
-- a killed process loses it; a lane that the registry does not know claims nothing.
-- Transitions: started -> finished, started -> error, started -> stopped, started -> scheduled, stopping -> finished,
--   stopping -> error, stopping -> stopped, created -> started, dispatched -> started, created -> error,
--   dispatched -> error, created -> scheduled, dispatched -> scheduled
-- KEYS[1] registry of incarnations     KEYS[2] claimed list of the lane     KEYS[3..] queues, first served first
-- ARGV[1] namespace prefix     ARGV[2] owner: incarnation/lane     ARGV[3] most jobs to claim (0: only settle)
-- ARGV[4] 'context_id': one job a context at once, in order; '' otherwise     ARGV[5..9] retention (see ending.lua)
-- ARGV[10] incarnation     ARGV[11..] settlements, nine values each:
--   id, attempt, status, output, output_json, error, error_kind, "line:column", reply ("" where there is none);
--   with status 'scheduled' the run failed and is to be repeated, after as many ms as the last value says
-- Returns {alive 0|1, {id refused ...}, {job ...}}; a job is
--   {id, attempt, script_type, script, caller_id, context_id, timeout, env_vars, more}, nil where the hash lacks it;
--   more, for jobs that have it: {retries, failures, {prerequisite, output, ...}, log_path, signatures}
local ns, me, claimed, keep = ARGV[1], ARGV[2], KEYS[2], retention(5)
local refused, jobs, accepted, mine_now = {}, {}, 0, {}

for i = 11, #ARGV, 9 do
  local id, attempt, status = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local key = ns .. 'job:' .. id
  local v = redis.pcall('HMGET', key, 'status', 'owner', 'attempt', 'extra')
  local mine = not v.err and v[2] == me and v[3] == attempt
  if mine and (v[1] == 'started' or v[1] == 'stopping') then
    accepted = accepted + 1
    mine_now[id] = true
    if status == 'finished' then
      if ARGV[i + 4] == '' then
        redis.call('HSET', key, 'status', status, 'output', ARGV[i + 3], 'finished_at', at, 'updated_at', at)
      else
        redis.call('HSET', key, 'status', status, 'output', ARGV[i + 3], 'finished_at', at, 'updated_at', at,
          'output_json', ARGV[i + 4])
      end
      if v[4] then redis.call('HDEL', key, 'error', 'error_kind', 'error_at') end -- of a run that was repeated
      conclude(ns, id, status, ARGV[i + 8], keep, v[4])
    elseif status == 'scheduled' and v[1] == 'stopping' then
      fail(ns, id, 'stopped', 'stopped', 'stopped', keep, v[4])
    else
      redis.call('HSET', key, 'status', status, 'error', ARGV[i + 5], 'error_kind', ARGV[i + 6], 'updated_at', at)
      if ARGV[i + 7] ~= '' then
        redis.call('HSET', key, 'error_at', ARGV[i + 7])
      elseif v[4] then
        redis.call('HDEL', key, 'error_at')
      end
      if status == 'scheduled' then
        redis.call('HDEL', key, 'owner', 'started_at')
        redis.call('HINCRBY', key, 'failures', 1)
        redis.call('ZADD', ns .. 'q:scheduled', now + tonumber(ARGV[i + 8]), id)
        local limit = redis.call('HGET', key, 'concurrency_key')
        if limit then leave_limit(ns, limit, id) end
        tell(id, status)
      else
        redis.call('HSET', key, 'finished_at', at)
        conclude(ns, id, status, ARGV[i + 8], keep, v[4])
      end
    end
  elseif not mine or (v[1] ~= 'finished' and v[1] ~= 'error' and v[1] ~= 'stopped') then
    -- Mine and terminal is a settlement sent again after a lost answer: nothing to do, nothing refused.
    refused[#refused + 1] = id
  end
end
-- Every id accepted was in the list. So when they are as many as it holds they are all of it, the common case. What was
-- refused stays: the lane may hold that id anew, and a settlement that arrives late must not take it from its list.
if accepted > 0 and redis.call('LLEN', claimed) == accepted then
  redis.call('DEL', claimed)
else
  for id in pairs(mine_now) do redis.call('LREM', claimed, 1, id) end
end
settle_tails(ns, keep)

local alive = redis.call('HEXISTS', KEYS[1], ARGV[10])
local most = tonumber(ARGV[3])
if alive == 0 or most == 0 then
  tell_all(ns, keep)
  return { alive, refused, jobs }
end

local ids = redis.call('LRANGE', claimed, 0, most - 1)
for q = 3, #KEYS do
  if #ids >= most then break end
  local more = redis.call('LPOP', KEYS[q], most - #ids)
  if more then
    redis.call('RPUSH', claimed, unpack(more))
    for _, id in ipairs(more) do ids[#ids + 1] = id end
  end
end

-- What a job with more to it needs before it may run. Returns whether it may, and the "more" of its row.
local function admit(id, key, context_id)
  local x = redis.call('HMGET', key, 'expires_ms', 'rate_key', 'rate_max', 'rate_window_s', 'concurrency_key',
    'concurrency_max', 'retries', 'failures', 'prerequisites', 'prerequisites_added', 'log_path', 'signatures')
  if x[1] and now > tonumber(x[1]) then
    fail(ns, id, 'error', 'expired', 'it was not started in its time', keep, true)
    return false
  end
  if x[5] and not enter_limit(ns, x[5], id, tonumber(x[6] or 1)) then return false end
  if x[2] then
    local wait_ms = rate_wait_ms(ns, x[2], tonumber(x[3]), tonumber(x[4]) * 1000)
    if wait_ms > 0 then
      if x[5] then leave_limit(ns, x[5], id) end
      redis.call('HSET', key, 'status', 'scheduled', 'updated_at', at)
      redis.call('ZADD', ns .. 'q:scheduled', now + wait_ms, id)
      tell(id, 'scheduled')
      return false
    end
  end
  redis.call('ZREM', ns .. 'q:expiring', id)
  local outputs = {}
  for n = 9, 10 do
    if x[n] and x[n] ~= '[]' then
      for _, p in ipairs(cjson.decode(x[n])) do
        outputs[#outputs + 1] = p
        outputs[#outputs + 1] = redis.call('HGET', ns .. 'job:' .. p, 'output')
      end
    end
  end
  return true, { x[7], x[8], outputs, x[11], x[12] }
end

local seen = {}
for _, id in ipairs(ids) do
  local key = ns .. 'job:' .. id
  local v = redis.pcall('HMGET', key, 'status', 'owner', 'attempt', 'script_type', 'script', 'caller_id', 'context_id',
    'timeout', 'env_vars', 'extra')
  if seen[id] then v[1] = 'finished' end
  if v.err then
    redis.call('DEL', key)
    redis.call('LREM', claimed, 1, id)
    fail(ns, id, 'error', 'damaged', 'the job\'s key did not hold a hash', keep, false)
  else
    -- Fields in camelCase come from programs of the Rust family.
    if not v[4] or not v[6] then
      local c = redis.call('HMGET', key, 'scriptType', 'callerId', 'contextId', 'envVars')
      v[4], v[6], v[7], v[9] = v[4] or c[1], v[6] or c[2], v[7] or c[3], v[9] or c[4]
    end
    local status = v[1]
    if status ~= 'dispatched' then status = status and string.lower(status) or 'dispatched' end
    local attempt, more
    -- An id that stands in the queue twice comes once: its second entry is treated as that of a job that has ended.
    seen[id] = true
    if status == 'dispatched' or status == 'created' then
      -- A key without a single field of ours is a deleted job, whose id had stayed in the queue.
      if v[1] or v[5] or redis.call('EXISTS', key) == 1 then
        local may = true
        if ARGV[4] ~= '' and v[7] and redis.call('HSETNX', key, 'concurrency_key', 'context:' .. v[7]) == 1 then
          redis.call('HSET', key, 'extra', '1')
          v[10] = '1'
        end
        if v[10] then may, more = admit(id, key, v[7]) end
        if may then
          attempt = tostring((tonumber(v[3]) or 0) + 1)
          redis.call('HSET', key, 'status', 'started', 'owner', me, 'attempt', attempt, 'started_at', at,
            'updated_at', at)
          tell(id, 'started')
        end
      end
    elseif status == 'stopping' and v[2] == me then
      fail(ns, id, 'stopped', 'stopped', 'stopped', keep, v[10]) -- claimed, then stopped, before it could begin
    elseif status == 'started' and v[2] == me then
      attempt = v[3] -- the answer that named it was lost
      if v[10] then
        local x = redis.call('HMGET', key, 'retries', 'failures', 'log_path', 'signatures')
        more = { x[1], x[2], {}, x[3], x[4] }
      end
    end
    if attempt then
      jobs[#jobs + 1] = { id, attempt, v[4], v[5], v[6], v[7], v[8], v[9], more }
    else
      redis.call('LREM', claimed, 1, id) -- ended, deleted, waiting in line, or run by somebody else
    end
  end
end
settle_tails(ns, keep)
tell_all(ns, keep)
return { 1, refused, jobs }
