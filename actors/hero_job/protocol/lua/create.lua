-- Store a new job; with ARGV[3] = '1' also send it on its way.
--
-- Guarantee: the same id with the same content is created once, however often it is sent; other content is refused. A
-- key of uniqueness gives one job while it lasts: whoever comes second is told the first one's id.
-- Transitions: (none) -> created, (none) -> dispatched, (none) -> scheduled, (none) -> waiting_for_prerequisites,
--   created -> dispatched, created -> scheduled, created -> waiting_for_prerequisites, created -> error
-- KEYS[1] job hash     KEYS[2] its queue
-- ARGV[1] namespace prefix, with its colon     ARGV[2] job id     ARGV[3] '1': start it too
-- ARGV[4] '1': it has more to it than script and queue     ARGV[5..9] retention (see ending.lua)
-- ARGV[10..] name, value ... of the fields that never change
-- Returns {0, id} created (or there already, alike), {1, field} another job has this id, {2, id} a prerequisite that is
--   unknown, {3, id} of the job that holds the key of uniqueness, {4, id} a dependent that cannot wait (any more),
--   {5, id} a dependent that would wait for itself
local ns, key, id, start, extra = ARGV[1], KEYS[1], ARGV[2], ARGV[3] == '1', ARGV[4] == '1'
local keep = retention(5)
local FIRST = 10
local status = redis.pcall('HGET', key, 'status')
if type(status) == 'table' then return { 1, '' } end -- the key is no hash

if status or redis.call('EXISTS', key) == 1 then
  local given = {}
  for i = FIRST, #ARGV, 2 do
    if redis.call('HGET', key, ARGV[i]) ~= ARGV[i + 1] then return { 1, ARGV[i] } end
    given[ARGV[i]] = true
  end
  -- Fields that this request leaves out must be absent there too.
  local optional = { 'log_path', 'group', 'instance', 'priority', 'not_before', 'delay_s', 'expires_s', 'unique_key',
    'unique_for_s', 'concurrency_key', 'rate_key', 'run_after_failure', 'batch', 'signatures' }
  for _, name in ipairs(optional) do
    if not given[name] and redis.call('HEXISTS', key, name) == 1 then return { 1, name } end
  end
  if not start or status ~= 'created' then return { 0, id } end
else
  local f = {}
  if extra then
    for i = FIRST, #ARGV, 2 do f[ARGV[i]] = ARGV[i + 1] end
    if f.unique_key then
      local name = ns .. 'meta:unique:' .. f.unique_key
      local holder = redis.call('GET', name)
      if holder and redis.call('EXISTS', ns .. 'job:' .. holder) == 1 then return { 3, holder } end
    end
    local pending, failed = 0, nil
    local prerequisites, dependents = cjson.decode(f.prerequisites), cjson.decode(f.dependents)
    if #dependents > 0 then
      local wanted, seen, stack = {}, {}, {}
      for _, d in ipairs(dependents) do
        local s = redis.pcall('HGET', ns .. 'job:' .. d, 'status')
        if s ~= 'created' and s ~= 'waiting_for_prerequisites' then return { 4, d } end
        wanted[d] = true
      end
      -- A dependent that is an ancestor of this job would wait for itself.
      for _, p in ipairs(prerequisites) do stack[#stack + 1] = p end
      while #stack > 0 do
        local p = table.remove(stack)
        if wanted[p] then return { 5, p } end
        if not seen[p] then
          seen[p] = true
          local up = redis.pcall('HMGET', ns .. 'job:' .. p, 'prerequisites', 'prerequisites_added')
          if not up.err then
            for n = 1, 2 do
              for _, q in ipairs(cjson.decode(up[n] or '[]')) do stack[#stack + 1] = q end
            end
          end
        end
      end
    end
    for _, p in ipairs(prerequisites) do
      local s = redis.pcall('HGET', ns .. 'job:' .. p, 'status')
      if type(s) ~= 'string' then return { 2, p } end
      s = string.lower(s)
      if s == 'error' or s == 'stopped' then
        if f.run_after_failure ~= 'true' then failed = 'its prerequisite ' .. p .. ' ended as ' .. s end
      elseif s ~= 'finished' then
        pending = pending + 1
      end
    end
    for _, d in ipairs(dependents) do
      local key_d = ns .. 'job:' .. d
      redis.call('SADD', ns .. 'meta:dependents:' .. id, d)
      redis.call('HINCRBY', key_d, 'pending', 1)
      local added = cjson.decode(redis.call('HGET', key_d, 'prerequisites_added') or '[]')
      added[#added + 1] = id
      redis.call('HSET', key_d, 'extra', '1', 'prerequisites_added', cjson.encode(added))
    end
    for _, p in ipairs(prerequisites) do
      local s = string.lower(redis.call('HGET', ns .. 'job:' .. p, 'status'))
      if s ~= 'finished' and s ~= 'error' and s ~= 'stopped' then
        redis.call('SADD', ns .. 'meta:dependents:' .. p, id)
        redis.call('HSET', ns .. 'job:' .. p, 'extra', '1')
      end
    end
    if f.unique_key then
      local name = ns .. 'meta:unique:' .. f.unique_key
      redis.call('SET', name, id)
      if f.unique_for_s then redis.call('PEXPIRE', name, math.ceil(tonumber(f.unique_for_s) * 1000)) end
    end
    redis.call('HSET', key, 'extra', '1')
    if pending > 0 then redis.call('HSET', key, 'pending', pending) end
    if failed then redis.call('HSET', key, 'prerequisite_failed', failed) end
  end
  if start and not extra then
    -- The plain case, in one write.
    redis.call('HSET', key, 'status', 'dispatched', 'created_at', at, 'updated_at', at, unpack(ARGV, FIRST))
    enqueue(ns, id, KEYS[2], nil, false)
    tell(id, 'dispatched')
    tell_all(ns, keep)
    return { 0, id }
  end
  redis.call('HSET', key, 'status', 'created', 'created_at', at, 'updated_at', at, unpack(ARGV, FIRST))
  if not start then tell(id, 'created') end
end

if start then dispatch(ns, id, keep) end
settle_tails(ns, keep)
tell_all(ns, keep)
return { 0, id }
