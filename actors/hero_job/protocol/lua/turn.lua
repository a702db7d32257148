-- One turn of a lane: settle the jobs that it has run, and claim the jobs that it runs next. This is the hot path.
--
-- Guarantees: a settlement counts once, and only from the owner with the current attempt while the job is running (the
--   fence). A claimed id stays in the lane's claimed list until it is settled or handed back, so that neither a lost
--   answer nor a killed process loses it. A lane whose incarnation is not in the registry claims nothing.
-- Transitions: started -> finished, started -> error, started -> stopped, started -> scheduled, started -> dispatched,
--   stopping -> finished, stopping -> error, stopping -> stopped, created -> started, dispatched -> started, created -> error,
--   dispatched -> error, created -> scheduled, dispatched -> scheduled
-- KEYS[1] registry of incarnations
-- KEYS[2] claimed list of the lane
-- KEYS[3..] queues, in the order in which they are served
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] owner: incarnation/lane
-- ARGV[3] most jobs to claim; 0 to settle only
-- ARGV[4] 'context_id': run the jobs of a context one after another, in order; '' otherwise
-- ARGV[5..9] retention (see ending.lua)
-- ARGV[10] incarnation
-- ARGV[11] how many jobs the lane runs meanwhile: behind the settled ones they are the first of its claimed list
-- ARGV[12..] settlements. Each value costs the server as much as a field that it writes, so they have only what they need:
--   id, attempt, 'finished', the reply, output
--   id, attempt, 'finished_json', the reply, what is both output and output_json
--   id, attempt, 'finished_both', the reply, output, output_json
--   id, attempt, another status, the reply, error, error_kind, "line:column"
--   Status 'scheduled' means that the run failed and is to be repeated; then there is a delay in ms in place of the reply.
--   Status 'dispatched' means that a suspect (see recover.lua) ended the process that it ran in alone, so it is charged
--   with a redelivery; then there are the most redeliveries in place of the reply.
-- Returns {alive 0|1, {id refused ...}, plain jobs, {job ...}, now as a text}. A job is
--   {id, attempt, script_type, script, caller_id, context_id, timeout, env_vars, queued_at, options}, nil where the hash
--   lacks it. It might run since queued_at; nil if that is not known. The plain jobs come before the others, in one flat
--   list, because a list for each of them would cost the server three times as much: id, attempt, script, queued_at, id,
--   attempt ... What several of them have in common is in front of them, behind an empty id: script_type, caller_id,
--   context_id, timeout, env_vars.
--   The options of a job that sets any: {retries, failures, {prerequisite, output, output_json, ...}, log_path,
--   signatures, memory_bytes, suspect, args, traceparent, {traceparent of a prerequisite ...}}
--
-- Plain jobs, those without options and whose records are as we write them, come first: what follows at the line PARTS
-- makes dozens of functions, which costs the server as much as a job. Both halves do the same to a plain job.
local registry, claimed = KEYS[1], KEYS[2]
local ns, me, max_jobs, by_context, incarnation = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] ~= '', ARGV[10]
local FIRST_QUEUE, FIRST_SETTLEMENT = 3, 12
local sizes = { finished = 5, finished_json = 5, finished_both = 6 } -- of the settlements; others have seven values
local call, try, args = redis.call, redis.pcall, ARGV -- locals, since each look at a global costs every job
local refused, plain_jobs, jobs, accepted = {}, {}, {}, {}
local plain_events, event_count = {}, 0 -- see `noted` in ending.lua

-- Settle plain jobs that have finished, up to the first other settlement.
local next_settlement, settlements_end = FIRST_SETTLEMENT, #args
local job_prefix, reply_prefix, reply_ms, result_ms = ns .. JOB, ns .. REPLY, args[5], args[6]
while next_settlement <= settlements_end do
  local i = next_settlement
  local id, word, output = args[i], args[i + 2], args[i + 4]
  local size = sizes[word]
  if not size then break end
  local key, reply = job_prefix .. id, reply_prefix .. id
  local hash = try('HMGET', key, 'status', 'extra', 'owner', 'attempt')
  if hash[1] ~= 'started' or hash[3] ~= me or hash[4] ~= args[i + 1] or hash[2] ~= '0' then break end
  if type(try('RPUSH', reply, args[i + 3])) == 'table' then break end -- nothing is written yet
  if word == 'finished' then
    call('HSET', key, 'status', 'finished', 'output', output, 'finished_at', at, 'updated_at', at)
  else
    call('HSET', key, 'status', 'finished', 'output', output, 'finished_at', at, 'updated_at', at, 'output_json',
      size == 5 and output or args[i + 5])
  end
  call('PEXPIRE', reply, reply_ms)
  call('PEXPIRE', key, result_ms)
  accepted[#accepted + 1] = id
  plain_events[event_count + 1], plain_events[event_count + 2] = id, 'finished'
  event_count = event_count + 2
  next_settlement = i + size
end

-- Take the accepted ids out of the claimed list. Usually they are its first ones, in this order. A refused id stays: the
-- lane may have claimed it again, and a late settlement must not remove it.
local function clear_claimed()
  if #accepted == 0 then return end
  local first, same = redis.call('LRANGE', claimed, 0, #accepted - 1), 0
  while same < #accepted and first[same + 1] == accepted[same + 1] do same = same + 1 end
  if same > 0 then redis.call('LTRIM', claimed, same, -1) end
  for n = same + 1, #accepted do redis.call('LREM', claimed, 1, accepted[n]) end
end

-- The ids that the lane is to run next: those that its claimed list holds, apart from what the lane runs now, and those
-- that it takes from its queues.
local held, last_places = 0, {} -- how many are of the first kind, and the place of the last one of each queue
local function claim_ids()
  local ids = redis.call('LRANGE', claimed, ARGV[11], ARGV[11] + max_jobs - 1)
  held = #ids
  for q = FIRST_QUEUE, #KEYS do
    if #ids >= max_jobs then break end
    local popped = redis.pcall('LPOP', KEYS[q], max_jobs - #ids)
    if popped and not popped.err then -- a key that is not a list keeps no other queue from being served
      redis.call('RPUSH', claimed, unpack(popped))
      for _, id in ipairs(popped) do ids[#ids + 1] = id end
      last_places[q] = #ids
    end
  end
  return ids
end

local alive, ids -- unset as long as there are settlements
local claims = 0 -- how many of the ids are claimed
if next_settlement > settlements_end then
  clear_claimed()
  alive = redis.call('HEXISTS', registry, incarnation)
  ids = alive == 1 and max_jobs > 0 and claim_ids() or {}
  -- Claim plain jobs, up to the first other one. A second entry of an id is one of those: its job runs by now.
  local n, last_type, last_caller, last_context, last_timeout, last_variables = 0
  while claims < #ids and not by_context do
    local id = ids[claims + 1]
    local key = job_prefix .. id
    local row = try('HMGET', key, 'status', 'attempt', 'script', 'updated_at', 'script_type', 'caller_id', 'context_id',
      'timeout', 'env_vars', 'extra')
    local script_type, caller_id = row[5], row[6]
    if row[1] ~= 'dispatched' or row[10] ~= '0' or not script_type or not caller_id or id == '' then break end
    local token = row[2] and tostring((tonumber(row[2]) or 0) + 1) or '1'
    call('HSET', key, 'status', 'started', 'owner', me, 'attempt', token, 'started_at', at, 'updated_at', at)
    claims = claims + 1
    local context_id, timeout, variables = row[7], row[8], row[9]
    if script_type ~= last_type or caller_id ~= last_caller or context_id ~= last_context or
      timeout ~= last_timeout or variables ~= last_variables then
      last_type, last_caller, last_context, last_timeout, last_variables =
        script_type, caller_id, context_id, timeout, variables
      plain_jobs[n + 1], plain_jobs[n + 2], plain_jobs[n + 3] = '', script_type, caller_id
      plain_jobs[n + 4], plain_jobs[n + 5], plain_jobs[n + 6] = context_id, timeout, variables
      n = n + 6
    end
    plain_jobs[n + 1], plain_jobs[n + 2], plain_jobs[n + 3], plain_jobs[n + 4] = id, token, row[3], row[4]
    n = n + 4
    plain_events[event_count + 1], plain_events[event_count + 2] = id, 'started'
    event_count = event_count + 2
  end
  if claims == #ids and event_count <= 1000 then -- unpack has a limit of some thousand values
    local noted = event_count > 0 and try('XADD', ns .. EVENTS, 'MAXLEN', '~', args[8], '*', unpack(plain_events))
    if type(noted) == 'table' then
      if not (noted.err:find('WRONGTYPE') or noted.err:find('has exhausted')) then return noted end
      call('DEL', ns .. EVENTS) -- damaged: it begins anew, as with `write_over`
      call('XADD', ns .. EVENTS, 'MAXLEN', '~', args[8], '*', unpack(plain_events))
    end
    return { alive, refused, plain_jobs, jobs, at }
  end
end
-- PARTS
local retention = read_retention(5)
for i = 1, event_count, 2 do note_event(plain_events[i], plain_events[i + 1]) end

-- Settle a job as finished. output_json: nil if the output says all.
local function finish(id, key, output, output_json, reply, options)
  redis.call('HSET', key, 'status', 'finished', 'output', output, 'finished_at', at, 'updated_at', at)
  if output_json then redis.call('HSET', key, 'output_json', output_json) end
  if options then redis.call('HDEL', key, 'error', 'error_kind', 'error_at') end -- of a run that was repeated
  conclude(ns, id, 'finished', reply, retention, options)
end

-- Write the error of a failed run to the job.
local function write_error(key, status, message, kind, position, options)
  redis.call('HSET', key, 'status', status, 'error', message, 'error_kind', kind, 'updated_at', at)
  if position ~= '' then
    redis.call('HSET', key, 'error_at', position)
  elseif options then
    redis.call('HDEL', key, 'error_at') -- of an earlier run
  end
end

-- Let a failed run be repeated later.
local function repeat_later(id, key, delay_ms)
  keep_attempt(key, 'failed', unpack(redis.call('HMGET', key, 'error_kind', 'error')))
  redis.call('HDEL', key, 'owner', 'started_at')
  redis.call('HINCRBY', key, 'failures', 1)
  redis.call('ZADD', ns .. SCHEDULED, now + tonumber(delay_ms), id)
  local concurrency_key, place, script_type, foreign_script_type = unpack(redis.call('HMGET', key, 'concurrency_key',
    'place', 'script_type', FOREIGN_SCRIPT_TYPE))
  if concurrency_key or place then leave_limit(ns, concurrency_key or place, id) end
  note_event(id, 'scheduled')
  count_one(script_type or foreign_script_type, 'retries')
end

-- Let a job that ended its own process run again, or end it as lost if it did so too often.
local function redeliver(id, key, message, max_redeliveries, options)
  local redeliveries, script_type, group, instance, foreign_script_type = unpack(redis.call('HMGET', key,
    'redeliveries', 'script_type', 'group', 'instance', FOREIGN_SCRIPT_TYPE))
  local times = (tonumber(redeliveries) or 0) + 1
  local queue = queue_of(ns, script_type or foreign_script_type, group, instance)
  redis.call('HSET', key, 'redeliveries', times)
  if not queue then error('script_type is missing or unknown', 0) end
  if times > tonumber(max_redeliveries) then
    message = string.format('its process ended %d times while it ran alone; the last time, %s', times, message)
    end_without_result(ns, id, 'error', 'lost', message, retention, options)
  else
    keep_attempt(key, 'crashed', 'crashed', message)
    redis.call('HSET', key, 'status', 'dispatched', 'rerun_reason', 'it ran alone, and ' .. message, 'updated_at', at)
    redis.call('HDEL', key, 'owner', 'started_at')
    enqueue(ns, id, queue, nil, true)
    note_event(id, 'dispatched')
    count_one(script_type or foreign_script_type, 'redeliveries')
  end
end

local i = next_settlement
while i <= #ARGV do
  local id, my_attempt, new_status, last, text, kind, position = unpack(ARGV, i, i + 6)
  i = i + (sizes[new_status] or 7)
  local key = ns .. JOB .. id
  local hash = redis.pcall('HMGET', key, 'status', 'owner', 'attempt', 'extra')
  local status, owner, attempt, extra
  if not hash.err then status, owner, attempt, extra = unpack(hash) end
  local options = has_options(extra)
  local mine = owner == me and attempt == my_attempt
  if status ~= 'started' then status = read_status(status) end
  if mine and (status == 'started' or status == 'stopping') then
    accepted[#accepted + 1] = id
    if new_status == 'finished' then
      finish(id, key, text, nil, last, options)
    elseif new_status == 'finished_json' then
      finish(id, key, text, text, last, options)
    elseif new_status == 'finished_both' then
      finish(id, key, text, kind, last, options)
    elseif (new_status == 'scheduled' or new_status == 'dispatched') and status == 'stopping' then
      end_without_result(ns, id, 'stopped', 'stopped', 'stopped', retention, options)
    elseif new_status == 'dispatched' then
      contain_job(ns, id, retention, redeliver, id, key, text, last, options)
    else
      write_error(key, new_status, text, kind, position, options)
      if new_status == 'scheduled' then
        contain_job(ns, id, retention, repeat_later, id, key, last)
      else
        redis.call('HSET', key, 'finished_at', at)
        conclude(ns, id, new_status, last, retention, options)
      end
    end
  elseif not mine or not is_terminal(status) then
    -- A job of mine that has ended was settled before, and the answer was lost: that is no refusal.
    refused[#refused + 1] = id
  end
end
if not ids then
  clear_claimed()
  settle_ended(ns, retention)
  alive = redis.call('HEXISTS', registry, incarnation)
  ids = alive == 1 and max_jobs > 0 and claim_ids() or {}
end

-- The outputs of prerequisites, as a flat list: id, output, output_json ... Or nil and the id of one whose record is gone.
local function outputs_of(id, prerequisites, prerequisites_added)
  local outputs, traces = {}, {}
  for n, name in ipairs({ 'prerequisites', 'prerequisites_added' }) do
    for _, prerequisite in ipairs(read_ids(name, n == 1 and prerequisites or n == 2 and prerequisites_added)) do
      links = links + 1
      local hash = redis.pcall('HMGET', ns .. JOB .. prerequisite, 'output', 'script', 'status', 'output_json',
        'traceparent')
      if hash.err or not (hash[1] or hash[2] or hash[3]) then return nil, prerequisite end
      -- A job that was created after the one it waited for was deleted has only its id.
      if redis.pcall('SISMEMBER', ns .. READERS .. prerequisite, id) == 0 then return nil, prerequisite end
      outputs[#outputs + 1] = prerequisite
      outputs[#outputs + 1] = hash[1]
      outputs[#outputs + 1] = hash[4]
      if hash[5] then traces[#traces + 1] = hash[5] end
    end
  end
  return outputs, nil, traces
end

-- Check whether a job with options may run now. If so, returns the options of its row; otherwise ends it, delays it or
-- lets it wait in line, and returns nil.
local function admit(id, key, attempt)
  local expires_ms, rate_key, rate_max, rate_window_s, concurrency_key, concurrency_max, retries, failures,
    prerequisites, prerequisites_added, log_path, signatures, memory_bytes, suspect, foreign_log_path, released, place, args,
    traceparent =
    unpack(redis.call('HMGET', key, 'expires_ms', 'rate_key', 'rate_max', 'rate_window_s', 'concurrency_key',
    'concurrency_max', 'retries', 'failures', 'prerequisites', 'prerequisites_added', 'log_path', 'signatures',
    'memory_bytes', 'suspect', FOREIGN_LOG_PATH, 'released', 'place', 'script_args', 'traceparent'))
  concurrency_key = concurrency_key or place
  local has_begun = (tonumber(attempt) or 0) > (tonumber(released) or 0)
  if expires_ms and not has_begun and now > read_number('expires_ms', expires_ms) then
    end_without_result(ns, id, 'error', 'expired', 'it was not started in its time', retention, true)
    return nil
  end
  local outputs, gone, traces = outputs_of(id, prerequisites, prerequisites_added)
  if gone then
    local message = 'the record of its prerequisite ' .. gone .. ' is gone'
    end_without_result(ns, id, 'error', 'prerequisite_failed', message, retention, true)
    return nil
  end
  if concurrency_key and not enter_limit(ns, concurrency_key, id, math.max(1, read_number('concurrency_max', concurrency_max, 1))) then return nil end
  if rate_key then
    local wait_ms = rate_wait_ms(ns, rate_key, read_number('rate_max', rate_max, 1),
      read_number('rate_window_s', rate_window_s, 1) * 1000)
    if wait_ms > 0 then
      if concurrency_key then leave_limit(ns, concurrency_key, id) end
      redis.call('HSET', key, 'status', 'scheduled', 'updated_at', at)
      redis.call('ZADD', ns .. SCHEDULED, now + wait_ms, id)
      note_event(id, 'scheduled')
      return nil
    end
  end
  redis.call('ZREM', ns .. EXPIRING, id)
  return { retries, failures, outputs, log_path or foreign_log_path, signatures, memory_bytes, suspect, args, traceparent,
    traces }
end

-- The options of a job that the lane has claimed already, for an answer that was lost.
local function options_again(key)
  local retries, failures, log_path, signatures, memory_bytes, suspect, foreign_log_path, args, traceparent = unpack(redis.call(
    'HMGET', key, 'retries', 'failures', 'log_path', 'signatures', 'memory_bytes', 'suspect', FOREIGN_LOG_PATH, 'script_args',
    'traceparent'))
  return { retries, failures, {}, log_path or foreign_log_path, signatures, memory_bytes, suspect, args, traceparent, {} }
end

-- The queue that an id was taken from; nil if the lane held it already.
local function origin_of(place)
  if place <= held then return nil end
  for q = FIRST_QUEUE, #KEYS do
    if last_places[q] and place <= last_places[q] then return KEYS[q] end
  end
end

local seen = {}
local suffix = KEYS[FIRST_QUEUE] and string.match(KEYS[FIRST_QUEUE], QUEUE .. '(%a+)')
for n = 1, claims do seen[ids[n]] = true end
local taken = #ids
for n = claims + 1, #ids do
  if links > 500 and n > 1 then
    taken = n - 1
    break
  end
  local id = ids[n]
  local key = ns .. JOB .. id
  local hash = redis.pcall('HMGET', key, 'status', 'owner', 'attempt', 'script_type', 'script', 'caller_id',
    'context_id', 'timeout', 'env_vars', 'updated_at', 'extra')
  if hash.err then
    redis.call('LREM', claimed, 1, id)
    end_damaged(ns, id, 'the job\'s key does not hold a hash', retention)
  else
    local status_text, owner, attempt, script_type, script, caller_id, context_id, timeout, env_vars, queued_at,
      extra = unpack(hash)
    local options = has_options(extra)
    if not script_type or not caller_id then
      local foreign_script_type, foreign_caller_id, foreign_context_id, foreign_env_vars = unpack(redis.call('HMGET',
        key, FOREIGN_SCRIPT_TYPE, FOREIGN_CALLER_ID, FOREIGN_CONTEXT_ID, FOREIGN_ENV_VARS))
      script_type, caller_id = script_type or foreign_script_type, caller_id or foreign_caller_id
      context_id, env_vars = context_id or foreign_context_id, env_vars or foreign_env_vars
    end
    local status = status_text
    if status ~= 'dispatched' then status = read_status(status) end
    -- The second entry of an id that is in the queue twice is dropped like that of a job that has ended.
    if seen[id] then status = 'finished' end
    seen[id] = true
    local token, row_options -- set if the lane is to run the job
    if not is_adopted(extra) and not is_terminal(status) and not owner and
      (status_text or script or redis.call('EXISTS', key) == 1) then
      -- Another program created and queued it. Whatever status it wrote, nobody runs the job.
      if status == 'stopping' then
        end_without_result(ns, id, 'stopped', 'stopped', 'stopped', retention, options)
      else
        status = contain_job(ns, id, retention, dispatch, ns, id, retention, 'claimed', suffix)
        status_text, script_type = status, script_type or suffix
        options = has_options(redis.call('HGET', key, 'extra'))
      end
    elseif status == 'created' then
      status = 'finished' -- not started yet; the id is from a former job
    end
    if status == 'dispatched' then
      -- A key without any of these fields is a deleted job whose id stayed in the queue.
      if status_text or script or redis.call('EXISTS', key) == 1 then
        if by_context and context_id and redis.call('HEXISTS', key, 'concurrency_key') == 0 then
          redis.call('HSET', key, 'extra', '1', 'place', 'context:' .. context_id)
          options = true
        end
        if options then row_options = contain_job(ns, id, retention, admit, id, key, attempt) end
        if row_options or not options then
          token = tostring((tonumber(attempt) or 0) + 1)
          redis.call('HSET', key, 'status', 'started', 'owner', me, 'attempt', token, 'started_at', at, 'updated_at', at)
          note_event(id, 'started')
        end
      end
    elseif status == 'stopping' and owner == me then
      -- It was claimed, then asked to stop before it could run.
      end_without_result(ns, id, 'stopped', 'stopped', 'stopped', retention, options)
    elseif status == 'started' and owner == me then
      token, queued_at = attempt, false -- the answer that contained it was lost
      if options then row_options = options_again(key) end
    end
    if token then
      jobs[#jobs + 1] = { id, token, script_type, script, caller_id, context_id, timeout, env_vars, queued_at,
        row_options }
    else
      redis.call('LREM', claimed, 1, id) -- it has ended, was deleted, waits in line, or runs elsewhere
    end
  end
end
-- The jobs so far have very many prerequisites, so the ids behind them return to where they came from.
for i = #ids, taken + 1, -1 do
  local queue = origin_of(i)
  if queue then
    redis.call('LREM', claimed, -1, ids[i])
    redis.call('LPUSH', queue, ids[i])
  end
end
settle_ended(ns, retention)
write_events(ns, retention)
return { alive, refused, plain_jobs, jobs, at }
