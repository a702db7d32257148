-- Store a new job, and start it too if asked.
--
-- Guarantee: the same id with the same fields is created once, no matter how often it is sent; other fields are refused.
--   A key of uniqueness allows one job while it holds: the second submitter gets the first one's id.
-- Transitions: (none) -> created, (none) -> dispatched, (none) -> scheduled, (none) -> waiting_for_prerequisites,
--   created -> dispatched, created -> scheduled, created -> waiting_for_prerequisites, created -> error
-- KEYS[1] job hash
-- KEYS[2] its queue
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] job id
-- ARGV[3] '1': start it too
-- ARGV[4] '0': it sets no option (see JobField); '1': it sets one; or JSON, if it sets one and its submitter may not
--   name everything: {the caller whose jobs it may name, that caller's context, are its prerequisites to be signed, may
--   only signed jobs be added before signed ones}; false for all callers, for all contexts
-- ARGV[5..9] retention (see ending.lua)
-- ARGV[10..] values of the submitter's fields that are always stored, in their order, without the id
-- ARGV[FIRST_NAME..] name, value ... of the submitter's other fields
-- Returns {0, id, 1} this has started it; {0, id} created, or an equal job had been created, and started if that was
--   asked; {1, field} another job has this id; {2, id} this prerequisite is unknown; {3, id} this job holds the key of
--   uniqueness; {4, id} this dependent does not exist or was started already; {5, id} this dependent would wait for
--   itself; {6, id} its submitter may not use this batch; {7, id} this prerequisite is not signed; {8, id} this dependent
--   is signed, and the job is not; {9, id} this dependent has as many prerequisites as a job may have; {10, id} too many
--   jobs come before and after this dependent to tell whether it would wait for itself
local key, queue = KEYS[1], KEYS[2]
local ns, id, start, options = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4] ~= '0'

-- The plain case. It comes before the other parts, because making their functions costs the server a quarter of it.
if start and not options and redis.call('EXISTS', key, ns .. REPLY .. id, ns .. LOG .. id) == 0 then
  redis.call('HSET', key, 'status', 'dispatched', 'extra', '0', 'updated_at', at, 'created_at', at,
    ALWAYS_STORED, unpack(ARGV, FIRST_NAME))
  redis.call('RPUSH', redis.pcall('HEXISTS', ns .. PAUSED, queue) == 1 and queue .. HELD or queue, id)
  local noted = redis.pcall('XADD', ns .. EVENTS, 'MAXLEN', '~', ARGV[8], '*', id, 'dispatched')
  if type(noted) == 'table' then
    if not (noted.err:find('WRONGTYPE') or noted.err:find('has exhausted')) then return noted end
    redis.call('DEL', ns .. EVENTS) -- damaged: it begins anew, as with `write_over`
    redis.call('XADD', ns .. EVENTS, 'MAXLEN', '~', ARGV[8], '*', id, 'dispatched')
  end
  return { 0, id, 1 }
end

-- PARTS

local retention = read_retention(5)
local submitted = { ALWAYS_STORED, unpack(ARGV, FIRST_NAME) }
local status_text = redis.pcall('HGET', key, 'status')
if type(status_text) == 'table' then return { 1, '' } end -- the key is not a hash
local exists = status_text or redis.call('EXISTS', key) == 1

-- The name of a field in which the existing job differs from the request, or nil.
local function difference()
  local given = {}
  for i = 1, #submitted, 2 do
    local name, value = submitted[i], submitted[i + 1]
    -- The runtime forgets due_ms, which says the same as not_before, when it runs a job again.
    if name ~= 'due_ms' and not (NOT_COMPARED)[name] and redis.call('HGET', key, name) ~= value then return name end
    given[name] = true
  end
  for _, name in ipairs(OPTIONAL_FIELDS) do
    if not given[name] and redis.call('HEXISTS', key, name) == 1 then return name end
  end
end

-- Walk from jobs along their prerequisites or dependents, 1,000 records or 10,000 ids at most.
-- Returns the first of `targets` on the way, or nil; and has the walk come to its end?
local function walk(starts, targets, neighbours)
  local seen, stack, records, ids = {}, {}, 1000, 10000
  for _, start in ipairs(starts) do stack[#stack + 1] = start end
  while #stack > 0 do
    local job = table.remove(stack)
    if targets[job] then return job, true end
    if not seen[job] then
      if records <= 0 or ids <= 0 then return nil, false end
      seen[job] = true
      local near = neighbours(job, ids)
      if not near then return nil, false end
      records, ids = records - 1, ids - #near
      for _, further in ipairs(near) do stack[#stack + 1] = further end
    end
  end
  return nil, true
end

local function prerequisites_of(job)
  local hash, near = redis.pcall('HMGET', ns .. JOB .. job, 'prerequisites', 'prerequisites_added', 'status'), {}
  -- A job that has ended waits for nobody, and nobody waits for what comes before it.
  if hash.err or is_terminal(read_status(hash[3])) then return near end
  for n = 1, 2 do
    for _, further in ipairs(contain(read_ids, 'prerequisites', hash[n]) or {}) do near[#near + 1] = further end
  end
  return near
end

local function dependents_of(job, most)
  local key = ns .. DEPENDENTS .. job
  local count = redis.pcall('SCARD', key)
  if type(count) ~= 'number' then return {} end
  return count <= most and redis.call('SMEMBERS', key)
end

-- The dependent that is an ancestor of this job, and so would wait for itself; or nil, and a dependent of which that
-- cannot be told because too many jobs come before the job and after this dependent.
local function cycle(prerequisites, dependents, is_dependent)
  local ancestor, is_sure = walk(prerequisites, is_dependent, prerequisites_of)
  if is_sure then return ancestor end
  local is_prerequisite = {}
  for _, prerequisite in ipairs(prerequisites) do is_prerequisite[prerequisite] = true end
  -- From the other end: most dependents have few jobs after them.
  local descendant
  descendant, is_sure = walk(dependents, is_prerequisite, dependents_of)
  if descendant then return dependents[1] end
  if not is_sure then return nil, dependents[1] end
end

-- Can one more prerequisite be added to this job?
local function takes_prerequisites(dependent)
  local pending, added = unpack(redis.call('HMGET', ns .. JOB .. dependent, 'pending', 'prerequisites_added'))
  return string.match(pending or '0', '^%-?%d+$') and #(pending or '0') < 16 and
    contain(read_ids, 'prerequisites_added', added)
end

-- Let each dependent wait for this job.
local function add_dependents(dependents)
  for _, dependent in ipairs(dependents) do
    add_prerequisite(ns, dependent, id)
  end
end

-- May the submitter name this job? What others have does not exist for a submitter that is bound to a caller.
local only_caller, only_context, signed_inputs, guards_signed = false, false, false, false
if options and ARGV[4] ~= '1' then
  only_caller, only_context, signed_inputs, guards_signed = unpack(cjson.decode(ARGV[4]))
end
local function in_reach(other)
  if not only_caller then return true end
  local hash = redis.pcall('HMGET', ns .. JOB .. other, 'caller_id', 'context_id', FOREIGN_CALLER_ID,
    FOREIGN_CONTEXT_ID)
  if hash.err then return false end
  local caller, context, foreign_caller, foreign_context = unpack(hash)
  return (caller or foreign_caller) == only_caller and
    (not only_context or (context or foreign_context) == only_context)
end

-- Is one of these signatures by the caller? A key is compared without its first byte, which tells its form.
local function is_signed(caller, signatures)
  local key = string.lower(string.sub(caller or '', 3, 66))
  return #key == 64 and not string.find(key, '[^0-9a-f]') and
    string.find(signatures or '', '"public_key":"0[23]' .. key) ~= nil
end

local function signatures_of(other)
  local hash = redis.pcall('HMGET', ns .. JOB .. other, 'caller_id', 'signatures', FOREIGN_CALLER_ID)
  if hash.err then return nil end
  return hash[1] or hash[3], hash[2]
end

-- Check what the options ask for, and register the job where it waits or holds a key. Writes nothing if it is refused.
-- Returns the refusal, or nil.
local function register_options()
  local fields = {}
  for i = 1, #submitted, 2 do fields[submitted[i]] = submitted[i + 1] end
  local unique = fields.unique_key and ns .. UNIQUE .. fields.unique_key
  if unique then
    local holder = redis.pcall('GET', unique)
    if type(holder) == 'string' and redis.call('EXISTS', ns .. JOB .. holder) == 1 and in_reach(holder) then return { 3, holder } end
  end
  if fields.batch and only_caller and
    contain(redis.call, 'HGET', ns .. BATCH .. fields.batch, 'caller_id') ~= only_caller then return { 6, fields.batch } end
  local prerequisites, dependents = cjson.decode(fields.prerequisites), cjson.decode(fields.dependents)
  if #dependents > 0 then
    local is_dependent = {}
    for _, dependent in ipairs(dependents) do
      local status = status_of(ns .. JOB .. dependent)
      if status ~= 'created' and status ~= 'waiting_for_prerequisites' or not in_reach(dependent) or
        not takes_prerequisites(dependent) then
        return { 4, dependent }
      end
      if guards_signed then
        local _, signatures = signatures_of(dependent)
        if signatures and not is_signed(fields.caller_id, fields.signatures) then return { 8, dependent } end
      end
      if #takes_prerequisites(dependent) >= MOST_IDS then return { 9, dependent } end
      is_dependent[dependent] = true
    end
    local ancestor, unsure = cycle(prerequisites, dependents, is_dependent)
    if ancestor then return { 5, ancestor } end
    if unsure then return { 10, unsure } end
  end
  local open, done, failed = {}, {}, nil
  for _, prerequisite in ipairs(prerequisites) do
    local status = status_of(ns .. JOB .. prerequisite)
    if not status or not in_reach(prerequisite) then return { 2, prerequisite } end
    if signed_inputs and not is_signed(signatures_of(prerequisite)) then return { 7, prerequisite } end
    if not is_terminal(status) then
      open[#open + 1] = prerequisite
    elseif status == 'finished' or fields.run_after_failure == 'true' then
      done[#done + 1] = prerequisite
    else
      failed = 'its prerequisite ' .. prerequisite .. ' ended as ' .. status
    end
  end
  add_dependents(dependents)
  for _, prerequisite in ipairs(open) do
    wait_for(ns, id, prerequisite)
  end
  for _, prerequisite in ipairs(done) do keep_for(ns, id, prerequisite) end
  if unique then
    redis.call('SET', unique, id)
    if fields.unique_for_s then redis.call('PEXPIRE', unique, math.ceil(tonumber(fields.unique_for_s) * 1000)) end
  end
  if #open > 0 then redis.call('HSET', key, 'pending', #open) end
  if failed then redis.call('HSET', key, 'prerequisite_failed', failed) end
end

if exists then
  local field = difference()
  if field then return { 1, field } end
  if not start or read_status(status_text) ~= 'created' then return { 0, id } end
else
  local refusal = options and register_options()
  if refusal then return refusal end
  redis.call('HSET', key, 'status', 'created', 'extra', options and '1' or '0', 'created_at', at, 'updated_at', at,
    unpack(submitted))
  -- Those of a former job of this id go. Not sooner: a full server refuses a script only at its first write.
  redis.call('UNLINK', ns .. REPLY .. id, ns .. LOG .. id)
  local batch_id = options and redis.call('HGET', key, 'batch')
  if batch_id then contain(join_batch, ns, batch_id) end
  if not start then note_event(id, 'created') end
end

if start then dispatch(ns, id, retention) end
settle_ended(ns, retention)
write_events(ns, retention)
return { 0, id, start and 1 or nil }
