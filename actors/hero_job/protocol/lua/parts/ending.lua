-- How jobs end, and what their end releases. Needs time, spellings, damage, foreign, queue,
-- counts, limits.
--
-- Every script that ends a job may, through settle_ended, move the jobs that wait for it.
-- Transitions: waiting_for_prerequisites -> dispatched, waiting_for_prerequisites -> scheduled,
--   waiting_for_prerequisites -> error

-- Transitions made by this call: id, status, id, status ... They go into one stream entry, because an entry per job
-- would cost the server more than everything else that a settlement writes.
local noted = {}
-- Jobs with options that ended in this call: id, status, id, status ... settle_ended works through them in a loop, so
-- that a chain of dependents needs no recursion.
local ended = {}
local has_dead_letters = false
-- Ids in `noted`, and is one of them there twice?
local has_moved, moves_twice = {}, false

local function note_event(id, status)
  moves_twice = moves_twice or has_moved[id]
  has_moved[id] = true
  noted[#noted + 1] = id
  noted[#noted + 1] = status
end

-- Write the transitions of this call to the event stream and what it has counted, and trim the dead letters.
local function write_events(ns, retention)
  write_counts(ns)
  -- In pieces, because unpack has a limit of some thousand values. An entry has each field once, so if a job has moved
  -- twice, each move has an entry of its own.
  local size = moves_twice and 2 or 1000
  for first = 1, #noted, size do
    write_over('XADD', ns .. EVENTS, 'MAXLEN', '~', retention.events, '*',
      unpack(noted, first, math.min(first + size - 1, #noted)))
  end
  if has_dead_letters then
    local dead_letters = ns .. DEAD_LETTERS
    -- Few by few: thousands may grow old in the same moment, or be too many after a setting has changed.
    local old = redis.call('ZCOUNT', dead_letters, '-inf', now - retention.failure_ms)
    old = math.max(old, redis.call('ZCARD', dead_letters) - retention.dead)
    if old > 0 then redis.call('ZREMRANGEBYRANK', dead_letters, 0, math.min(old, 1000) - 1) end
    redis.call('PEXPIRE', dead_letters, retention.failure_ms)
  end
end

-- Read the retention from five arguments of the script: ms to keep a reply, a finished job and a failed job, entries of
-- the event stream, number of dead letters.
local function read_retention(first)
  local reply_ms, result_ms, failure_ms, events, dead = unpack(ARGV, first, first + 4)
  return { reply_ms = reply_ms, result_ms = result_ms, failure_ms = tonumber(failure_ms), events = events,
    dead = tonumber(dead) }
end

-- Do what every end of a job needs, once: push the reply, set the expiries, note the event.
-- The caller writes the status and the result, and calls settle_ended and write_events when it is done.
-- reply: nil if it is there already.
-- options: does the job use any?
local function conclude(ns, id, status, reply, retention, options)
  local reply_key = ns .. REPLY .. id
  if reply then write_over('RPUSH', reply_key, reply) end
  redis.call('PEXPIRE', reply_key, retention.reply_ms)
  redis.call('PEXPIRE', ns .. JOB .. id, status == 'finished' and retention.result_ms or retention.failure_ms)
  if status == 'error' then
    redis.call('ZADD', ns .. DEAD_LETTERS, now, id)
    has_dead_letters = true
  end
  note_event(id, status)
  if options then
    ended[#ended + 1] = id
    ended[#ended + 1] = status
  end
end

-- Count the end of a job that no lane has settled.
local function count_end(key, status, kind)
  local hash = redis.pcall('HMGET', key, 'script_type', FOREIGN_SCRIPT_TYPE)
  count_one(not hash.err and (hash[1] or hash[2]) or '', status == 'error' and 'error:' .. kind or status)
end

-- End a job without a result, by a decision of the runtime. Works for any fields of its hash.
-- status: error or stopped.
local function end_without_result(ns, id, status, kind, message, retention, options)
  redis.call('HSET', ns .. JOB .. id, 'id', id, 'status', status, 'error', message, 'error_kind', kind,
    'finished_at', at, 'updated_at', at)
  local reply = cjson.encode({ job_id = id, status = status, error = message, error_kind = kind, output = cjson.null })
  conclude(ns, id, status, reply, retention, options)
  count_end(ns .. JOB .. id, status, kind)
end

-- End a job whose record cannot be read. Its key may hold another type.
local function end_damaged(ns, id, reason, retention)
  local key = ns .. JOB .. id
  if redis.call('TYPE', key).ok ~= 'hash' then redis.call('DEL', key) end
  end_without_result(ns, id, 'error', 'damaged', reason, retention, true)
end

-- Call a function for one job. Returns its result; or nil and the reason after it has ended the job as damaged.
local function contain_job(ns, id, retention, f, ...)
  local result, reason = contain(f, ...)
  if reason then end_damaged(ns, id, reason, retention) end
  return result, reason
end

-- Send a job on its way: to wait for its prerequisites, to wait for its time, or to its queue. Returns its new status.
-- again: 'released' by its last prerequisite, 'due' because its time has come, or 'claimed' because a lane has its id
-- already, which another program queued; nil at its first start. Its expiry counts from the first start.
-- suffix: see adopt.
local function dispatch(ns, id, retention, again, suffix)
  local key = ns .. JOB .. id
  if not is_adopted(redis.call('HGET', key, 'extra')) then
    local kind, message = adopt(ns, id, suffix)
    if kind then
      end_without_result(ns, id, 'error', kind, message, retention, true)
      return 'error'
    end
  end
  local script_type, group, instance, priority, extra, foreign_script_type = unpack(redis.call('HMGET', key,
    'script_type', 'group', 'instance', 'priority', 'extra', FOREIGN_SCRIPT_TYPE))
  local options = has_options(extra)
  local queue = queue_of(ns, script_type or foreign_script_type, group, instance)
  if not queue then
    end_without_result(ns, id, 'error', 'damaged', 'script_type is missing or unknown', retention, options)
    return 'error'
  end
  local status = 'dispatched'
  if options then
    local pending, prerequisite_failed, due_ms, delay_s, expires_s = unpack(redis.call('HMGET', key, 'pending',
      'prerequisite_failed', 'due_ms', 'delay_s', 'expires_s'))
    if expires_s and (not again or again == 'claimed') then
      local until_ms = now + read_number('expires_s', expires_s) * 1000
      redis.call('HSET', key, 'expires_ms', until_ms)
      redis.call('ZADD', ns .. EXPIRING, until_ms, id)
    end
    if prerequisite_failed then
      end_without_result(ns, id, 'error', 'prerequisite_failed', prerequisite_failed, retention, true)
      return 'error'
    end
    if read_number('pending', pending, 0) > 0 then
      status = 'waiting_for_prerequisites'
      write_over('ZADD', ns .. BLOCKED, now, id)
    elseif again ~= 'due' then
      local due = math.max(read_number('due_ms', due_ms, 0), now + read_number('delay_s', delay_s, 0) * 1000)
      if due > now then
        status = 'scheduled'
        redis.call('ZADD', ns .. SCHEDULED, due, id)
      end
    end
  end
  redis.call('HSET', key, 'status', status, 'updated_at', at)
  if status == 'dispatched' and again == 'claimed' then return status end
  if status == 'dispatched' then enqueue(ns, id, queue, priority, false) end
  note_event(id, status)
  return status
end

-- Announce the end of a batch.
local function end_batch(ns, batch_id, retention)
  local reply = ns .. BATCH_REPLY .. batch_id
  redis.call('RPUSH', reply, 'ended')
  redis.call('PEXPIRE', reply, retention.failure_ms)
  redis.call('PEXPIRE', ns .. BATCH .. batch_id, retention.failure_ms)
  note_event(BATCH .. batch_id, 'ended')
end

-- Count a job that ended for its batch, and announce the end of the batch.
local function count_for_batch(ns, batch_id, status, retention)
  local batch = ns .. BATCH .. batch_id
  if redis.call('EXISTS', batch) == 0 then return end -- it has expired; its job was run again after that
  redis.call('HINCRBY', batch, status, 1)
  if redis.call('HINCRBY', batch, 'open', -1) == 0 then end_batch(ns, batch_id, retention) end
end

-- Count a job of a batch as open again that had ended.
local function reopen_batch(ns, batch_id, status)
  local batch = ns .. BATCH .. batch_id
  if redis.call('EXISTS', batch) == 0 then return end
  redis.call('HINCRBY', batch, status, -1)
  if redis.call('HINCRBY', batch, 'open', 1) == 1 then
    redis.call('DEL', ns .. BATCH_REPLY .. batch_id)
    redis.call('PEXPIRE', batch, 366 * 86400000)
  end
end

-- Tell a job that one of its prerequisites has ended; the last one releases it, a failed one ends it.
local function release_dependent(ns, id, prerequisite, prerequisite_status, retention)
  local key = ns .. JOB .. id
  local hash = redis.pcall('HMGET', key, 'status', 'run_after_failure')
  if hash.err then return end
  local status_text, run_after_failure = unpack(hash)
  local status = read_status(status_text)
  if status ~= 'created' and status ~= 'waiting_for_prerequisites' then return end
  if not status_text and redis.call('EXISTS', key) == 0 then return end -- it was deleted
  local left = redis.call('HINCRBY', key, 'pending', -1)
  if prerequisite_status ~= 'finished' and run_after_failure ~= 'true' then
    local message = 'its prerequisite ' .. string.match(prerequisite, '^[^\n]*') .. ' ended as ' .. prerequisite_status
    if status == 'created' then
      redis.call('HSET', key, 'prerequisite_failed', message)
    else
      end_without_result(ns, id, 'error', 'prerequisite_failed', message, retention, true)
    end
  elseif left <= 0 and status == 'waiting_for_prerequisites' then
    redis.pcall('ZREM', ns .. BLOCKED, id)
    dispatch(ns, id, retention, 'released')
  end
end

local function settle_dependent(ns, id, prerequisite, prerequisite_status, retention)
  contain_job(ns, id, retention, release_dependent, ns, id, prerequisite, prerequisite_status, retention)
end

local function free_unique_key(ns, id, unique_key)
  local unique = ns .. UNIQUE .. unique_key
  if redis.call('GET', unique) == id then redis.call('DEL', unique) end
end

-- The key of uniqueness may hold longer than the record would be kept.
local function keep_while_unique(ns, id, unique_key)
  local unique, key = ns .. UNIQUE .. unique_key, ns .. JOB .. id
  if redis.call('GET', unique) ~= id then return end
  local left_ms = redis.call('PTTL', unique)
  if left_ms > redis.call('PTTL', key) then redis.call('PEXPIRE', key, left_ms) end
end

-- A job that was to read the record of another one has ended. Without readers a record is kept as long as others are.
local function forget_reader(ns, id, prerequisite, retention)
  local readers, key = ns .. READERS .. prerequisite, ns .. JOB .. prerequisite
  if redis.call('SREM', readers, id) == 0 or redis.call('EXISTS', readers) == 1 then return end
  local status = status_of(key)
  if status and is_terminal(status) then
    redis.call('PEXPIRE', key, status == 'finished' and retention.result_ms or retention.failure_ms)
  end
end

-- Release what a job held apart from its dependents: its key of uniqueness, its place under a limit, what it reads.
local function release_holdings(ns, id, status, retention)
  local unique_key, unique_for_s, concurrency_key, place, batch_id, pending, prerequisites, prerequisites_added =
    unpack(redis.call('HMGET', ns .. JOB .. id, 'unique_key', 'unique_for_s', 'concurrency_key', 'place', 'batch',
    'pending', 'prerequisites', 'prerequisites_added'))
  concurrency_key = concurrency_key or place
  for _, list in ipairs({ prerequisites or '[]', prerequisites_added or '[]' }) do
    for _, prerequisite in ipairs(contain(read_ids, '', list) or {}) do
      budget = budget - 1
      -- A job that ends before its prerequisites must leave no id there that a later job of this id would answer to.
      if pending and pending ~= '0' then redis.pcall('SREM', ns .. DEPENDENTS .. prerequisite, id) end
      contain(forget_reader, ns, id, prerequisite, retention)
    end
  end
  if redis.call('EXISTS', ns .. READERS .. id) == 1 then redis.call('PEXPIRE', ns .. JOB .. id, 366 * 86400000) end
  if unique_key and unique_for_s then contain(keep_while_unique, ns, id, unique_key) end
  redis.call('ZREM', ns .. EXPIRING, id)
  redis.pcall('ZREM', ns .. BLOCKED, id)
  -- A key, place, batch or set of dependents that cannot be read must not keep the job from its end; doctor names it.
  if unique_key and not unique_for_s then contain(free_unique_key, ns, id, unique_key) end
  if concurrency_key then contain(leave_limit, ns, concurrency_key, id) end
  if batch_id then contain(count_for_batch, ns, batch_id, status, retention) end
end

-- Settle the dependents of a job, page by page. Returns false if the budget ends before they do.
local function settle_dependents(ns, id, status, retention)
  local dependents = ns .. DEPENDENTS .. id
  while budget > 0 do
    local page = contain(redis.call, 'SPOP', dependents, math.min(budget, 100))
    if not page then redis.call('DEL', dependents) end -- it is not a set
    if not page or #page == 0 then return true end
    budget = budget - #page
    local links_before = links
    for n, dependent in ipairs(page) do
      if links - links_before > 500 then
        redis.call('SADD', dependents, unpack(page, n))
        budget = 0
        break
      end
      settle_dependent(ns, dependent, id, status, retention)
    end
  end
  return redis.call('EXISTS', dependents) == 0
end

-- An ended job is about to be deleted or to run again: what its end has not released yet goes aside under a name of its
-- own, so that it is not taken for that of the next job of this id.
local function close_life(ns, id, retention)
  local unsettled, dependents = ns .. UNSETTLED, ns .. DEPENDENTS .. id
  local status = contain(redis.call, 'HGET', unsettled, id)
  if not status then return end
  redis.call('HDEL', unsettled, id)
  if string.sub(status, 1, 1) == '+' then
    status = string.sub(status, 2)
  else
    contain(release_holdings, ns, id, status, retention)
  end
  if redis.call('EXISTS', dependents) == 0 then return end
  local aside, n = id .. '\n' .. now .. '-', 0
  while redis.call('EXISTS', ns .. DEPENDENTS .. aside .. n) == 1 do n = n + 1 end
  redis.call('RENAME', dependents, ns .. DEPENDENTS .. aside .. n)
  redis.call('HSET', unsettled, aside .. n, '+' .. status)
end

-- Release what the ended jobs of this call held: keys of uniqueness, places under limits, batches, dependents. A status
-- that begins with '+' belongs to a job of which only dependents are left.
local function settle_ended(ns, retention)
  local i = 1
  while i <= #ended do
    local id, status = ended[i], ended[i + 1]
    if budget <= 0 then
      redis.call('HSET', ns .. UNSETTLED, id, status)
    elseif status == 'line' then
      budget = budget - 1
      contain(leave_limit, ns, string.sub(id, #LIMIT_WAITING + 1), nil)
    else
      budget = budget - 1
      local is_rest = string.sub(status, 1, 1) == '+'
      if is_rest then status = string.sub(status, 2) else contain(release_holdings, ns, id, status, retention) end
      if not settle_dependents(ns, id, status, retention) then
        redis.call('HSET', ns .. UNSETTLED, id, '+' .. status)
      end
    end
    i = i + 2
  end
  ended = {}
end
