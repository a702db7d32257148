-- One turn of a lane: settle what it has run, claim what it runs next. The only script on the hot path.
--
-- Guarantees: a settlement counts only from the owner with the same attempt while the job runs (the fence), and counts
-- once; a claimed id is in the lane's claimed list until it is settled or handed back, so that neither a lost answer nor
-- a killed process loses it; a lane that the registry does not know claims nothing.
-- Transitions: started -> finished, started -> error, started -> stopped, stopping -> finished, stopping -> error,
--   stopping -> stopped, created -> started, dispatched -> started, dispatched -> error
-- KEYS[1] registry of incarnations     KEYS[2] claimed list of the lane     KEYS[3..] queues, most specific first
-- ARGV[1] namespace prefix     ARGV[2] incarnation     ARGV[3] most jobs to claim (0: only settle)
-- ARGV[4] time to live of a reply, ms     ARGV[5] of a finished job, ms     ARGV[6] of a failed job, ms
-- ARGV[7] events kept     ARGV[8..] settlements, nine values each:
--   id, attempt, status, output, output_json, error, error_kind, "line:column", reply ("" where there is none)
-- Returns {alive 0|1, {id refused ...}, {job ...}}; a job is
--   {id, attempt, script_type, script, caller_id, context_id, timeout, env_vars}, nil where the hash lacks the field
local ns, me, claimed = ARGV[1], ARGV[2], KEYS[2]
local at = iso(now_ms())
local refused, jobs, accepted = {}, {}, 0

for i = 8, #ARGV, 9 do
  local id, attempt, status = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local key = ns .. 'job:' .. id
  local v = redis.pcall('HMGET', key, 'status', 'owner', 'attempt')
  local mine = not v.err and v[2] == me and v[3] == attempt
  if mine and (v[1] == 'started' or v[1] == 'stopping') then
    local ttl_ms = ARGV[6]
    if status == 'finished' then
      ttl_ms = ARGV[5]
      if ARGV[i + 4] == '' then
        redis.call('HSET', key, 'status', status, 'output', ARGV[i + 3], 'finished_at', at, 'updated_at', at)
      else
        redis.call('HSET', key, 'status', status, 'output', ARGV[i + 3], 'finished_at', at, 'updated_at', at,
          'output_json', ARGV[i + 4])
      end
    else
      redis.call('HSET', key, 'status', status, 'error', ARGV[i + 5], 'error_kind', ARGV[i + 6],
        'finished_at', at, 'updated_at', at)
      if ARGV[i + 7] ~= '' then redis.call('HSET', key, 'error_at', ARGV[i + 7]) end
    end
    conclude(ns, id, status, ARGV[i + 8], ARGV[4], ttl_ms)
    accepted = accepted + 1
  elseif not mine or (v[1] ~= 'finished' and v[1] ~= 'error' and v[1] ~= 'stopped') then
    -- Mine and terminal is a settlement sent again after a lost answer: nothing to do, nothing refused.
    refused[#refused + 1] = id
  end
end
-- Every id accepted was in the list. So when they are as many as it holds they are all of it, the common case; a
-- settlement sent again, or one that is refused, may stand beside ids that are still to be run.
if accepted > 0 and redis.call('LLEN', claimed) == accepted then
  redis.call('DEL', claimed)
else
  for i = 8, #ARGV, 9 do redis.call('LREM', claimed, 1, ARGV[i]) end
end

local alive = redis.call('HEXISTS', KEYS[1], me)
local most = tonumber(ARGV[3])
if alive == 0 or most == 0 then
  tell_ended(ns, ARGV[7])
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

for _, id in ipairs(ids) do
  local key = ns .. 'job:' .. id
  local v = redis.pcall('HMGET', key, 'status', 'owner', 'attempt', 'script_type', 'script', 'caller_id', 'context_id',
    'timeout', 'env_vars')
  if v.err then
    redis.call('DEL', key)
    redis.call('LREM', claimed, 1, id)
    fail(ns, id, 'damaged', 'the job\'s key did not hold a hash', at, ARGV[4], ARGV[6])
  else
    -- Fields in camelCase come from programs of the Rust family.
    if not v[4] or not v[6] then
      local c = redis.call('HMGET', key, 'scriptType', 'callerId', 'contextId', 'envVars')
      v[4], v[6], v[7], v[9] = v[4] or c[1], v[6] or c[2], v[7] or c[3], v[9] or c[4]
    end
    local status = v[1]
    if status ~= 'dispatched' then status = status and string.lower(status) or 'dispatched' end
    local attempt
    if status == 'dispatched' or status == 'created' then
      -- A key without a single field of ours is a deleted job, whose id had stayed in the queue.
      if v[1] or v[5] or redis.call('EXISTS', key) == 1 then
        attempt = tostring((tonumber(v[3]) or 0) + 1)
        redis.call('HSET', key, 'status', 'started', 'owner', me, 'attempt', attempt, 'started_at', at, 'updated_at', at)
      end
    elseif status == 'started' and v[2] == me then
      attempt = v[3] -- the answer that named it was lost
    end
    if attempt then
      jobs[#jobs + 1] = { id, attempt, v[4], v[5], v[6], v[7], v[8], v[9] }
    else
      redis.call('LREM', claimed, 1, id) -- ended, deleted, or run by somebody else: a second entry of one id
    end
  end
end
tell_ended(ns, ARGV[7])
return { 1, refused, jobs }
