-- Hand back the jobs of an incarnation that is dead or leaves.
--
-- Guarantees: a job that it holds returns to the head of its queue, or ends as lost if it has been redelivered too often.
--   Afterwards the incarnation's lanes claim nothing and its settlements are refused. A later call finds ids that the
--   blocked command of a frozen lane moved after this one.
-- Transitions: started -> dispatched, started -> error, stopping -> stopped
-- KEYS[1] registry
-- KEYS[2] presence hash
-- KEYS[3] hash of the dead
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] incarnation
-- ARGV[3] 'leaving' (by itself, in order), 'dead' (its parent saw it exit) or 'expired' (only if its presence is gone)
-- ARGV[4] most redeliveries
-- ARGV[5] for how long its claimed lists are read again, in ms
-- ARGV[6..10] retention (see ending.lua)
-- Returns {alive 0|1, {id handed back ...}, {id lost ...}}
local registry, presence, dead = KEYS[1], KEYS[2], KEYS[3]
local ns, incarnation, cause, max_redeliveries, tomb_ms = unpack(ARGV, 1, 5)
local retention = read_retention(6)
local back, lost = {}, {}
if cause == 'expired' and redis.call('EXISTS', presence) == 1 then return { 1, back, lost } end

local entry = redis.call('HGET', registry, incarnation)
if entry then
  redis.call('HDEL', registry, incarnation)
  redis.call('DEL', presence, ns .. CONTROL .. incarnation)
  redis.call('XADD', ns .. ACTOR_EVENTS, 'MAXLEN', '~', 1000, '*', 'event', cause == 'leaving' and 'left' or 'lost',
    'incarnation', incarnation, 'entry', entry)
  if cause ~= 'leaving' then
    redis.call('HSET', dead, incarnation, cjson.encode({ until_ms = now + tonumber(tomb_ms), entry = entry }))
  end
else
  local tomb = redis.call('HGET', dead, incarnation)
  if not tomb then return { 0, back, lost } end
  tomb = cjson.decode(tomb)
  entry = tomb.entry
  if tomb.until_ms < now then redis.call('HDEL', dead, incarnation) end
end
entry = cjson.decode(entry)

local function hand_back(id, queue)
  enqueue(ns, id, queue, nil, true)
  back[#back + 1] = id
end

-- Redeliver a job that was running, or end it as lost.
local function redeliver(id, queue, redeliveries, options)
  local key = ns .. JOB .. id
  local count = (tonumber(redeliveries) or 0) + (cause == 'leaving' and 0 or 1)
  if count > tonumber(max_redeliveries) then
    redis.call('HSET', key, 'redeliveries', count)
    local message = string.format('its actor was lost %d times while it ran', count)
    end_without_result(ns, id, 'error', 'lost', message, retention, options)
    lost[#lost + 1] = id
  else
    redis.call('HSET', key, 'status', 'dispatched', 'redeliveries', count, 'updated_at', at)
    redis.call('HDEL', key, 'owner', 'started_at')
    hand_back(id, queue)
    note_event(id, 'dispatched')
  end
end

for lane = 0, entry.lanes - 1 do
  local claimed = ns .. CLAIMED .. incarnation .. ':' .. lane
  local me = incarnation .. '/' .. lane
  local ids = redis.call('LRANGE', claimed, 0, -1)
  for i = #ids, 1, -1 do
    local id = ids[i]
    local type_queue = ns .. QUEUE .. entry.suffix
    local hash = redis.pcall('HMGET', ns .. JOB .. id, 'status', 'owner', 'redeliveries', 'script_type', 'group',
      'instance', 'extra', FOREIGN_SCRIPT_TYPE)
    if hash.err then
      hand_back(id, type_queue) -- the next claim ends it as damaged
    else
      local status_text, owner, redeliveries, script_type, group, instance, options, foreign_script_type = unpack(hash)
      local status = read_status(status_text)
      local queue = queue_of(ns, script_type or foreign_script_type, group, instance) or type_queue
      if status == 'started' and owner == me then
        redeliver(id, queue, redeliveries, options)
      elseif status == 'stopping' and owner == me then
        end_without_result(ns, id, 'stopped', 'stopped', 'stopped', retention, options)
      elseif status == 'dispatched' or status == 'created' then
        hand_back(id, queue) -- also if it was deleted: the next claim drops the id
      end
    end
  end
  redis.call('DEL', claimed)
end
settle_ended(ns, retention)
write_events(ns, retention)
return { 0, back, lost }
