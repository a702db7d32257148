-- Hand back what a dead, or leaving, incarnation holds.
--
-- Guarantees: a job held by it is redelivered at the head of its queue, or ends as lost once it has been redelivered too
-- often; after this the incarnation's lanes claim nothing and its settlements are refused. Run again it finds ids that a
-- frozen lane's blocked command moved late.
-- Transitions: started -> dispatched, started -> error, stopping -> stopped
-- KEYS[1] registry     KEYS[2] presence hash     KEYS[3] hash of the dead
-- ARGV[1] namespace prefix     ARGV[2] incarnation
-- ARGV[3] 'leaving' (by itself, in order) | 'dead' (its parent saw it exit) | 'expired' (only if its presence is gone)
-- ARGV[4] most redeliveries     ARGV[5] how long its claimed lists are looked at again, ms
-- ARGV[6..10] retention (see ending.lua)
-- Returns {alive 0|1, {id handed back ...}, {id lost ...}}
local ns, incarnation, cause, keep = ARGV[1], ARGV[2], ARGV[3], retention(6)
local back, lost = {}, {}
if cause == 'expired' and redis.call('EXISTS', KEYS[2]) == 1 then return { 1, back, lost } end

local entry = redis.call('HGET', KEYS[1], incarnation)
if entry then
  redis.call('HDEL', KEYS[1], incarnation)
  redis.call('DEL', KEYS[2], ns .. 'q:ctl:actor:' .. incarnation)
  redis.call('XADD', ns .. 'events:actors', 'MAXLEN', '~', 1000, '*', 'event', cause == 'leaving' and 'left' or 'lost',
    'incarnation', incarnation, 'entry', entry)
  if cause ~= 'leaving' then
    redis.call('HSET', KEYS[3], incarnation, cjson.encode({ until_ms = now + tonumber(ARGV[5]), entry = entry }))
  end
else
  local tomb = redis.call('HGET', KEYS[3], incarnation)
  if not tomb then return { 0, back, lost } end
  tomb = cjson.decode(tomb)
  entry = tomb.entry
  if tomb.until_ms < now then redis.call('HDEL', KEYS[3], incarnation) end
end
entry = cjson.decode(entry)

for lane = 0, entry.lanes - 1 do
  local claimed = ns .. 'meta:claimed:' .. incarnation .. ':' .. lane
  local me = incarnation .. '/' .. lane
  local ids = redis.call('LRANGE', claimed, 0, -1)
  for i = #ids, 1, -1 do
    local id = ids[i]
    local key = ns .. 'job:' .. id
    local v = redis.pcall('HMGET', key, 'status', 'owner', 'redeliveries', 'script_type', 'group', 'instance',
      'scriptType', 'extra')
    -- An id whose hash is gone or damaged goes back as well: the next claim decides what becomes of it.
    local status, owner, queue = 'dispatched', false, ns .. 'q:work:type:' .. entry.suffix
    if not v.err then
      status = v[1] and string.lower(v[1]) or 'dispatched'
      owner = v[2]
      queue = queue_of(ns, v[4] or v[7], v[5], v[6]) or queue
    end
    if status == 'started' and owner == me then
      local count = (tonumber(v[3]) or 0) + (cause == 'leaving' and 0 or 1)
      if count > tonumber(ARGV[4]) then
        redis.call('HSET', key, 'redeliveries', count)
        fail(ns, id, 'error', 'lost', string.format('its actor was lost %d times while it ran', count), keep, v[8])
        lost[#lost + 1] = id
      else
        redis.call('HSET', key, 'status', 'dispatched', 'redeliveries', count, 'updated_at', at)
        redis.call('HDEL', key, 'owner', 'started_at')
        enqueue(ns, id, queue, nil, true)
        tell(id, 'dispatched')
        back[#back + 1] = id
      end
    elseif status == 'stopping' and owner == me then
      fail(ns, id, 'stopped', 'stopped', 'stopped', keep, v[8])
    elseif status == 'dispatched' or status == 'created' then
      enqueue(ns, id, queue, nil, true)
      back[#back + 1] = id
    end
  end
  redis.call('DEL', claimed)
end
settle_tails(ns, keep)
tell_all(ns, keep)
return { 0, back, lost }
