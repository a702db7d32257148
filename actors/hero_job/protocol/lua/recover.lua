-- Hand back the jobs of an incarnation that is dead or leaves.
--
-- Guarantees: a job that it holds returns to the head of its queue. No job is charged, because nobody knows which of them
--   ended the process; each of them is a suspect, and runs alone from now on (see turn.lua). Afterwards the incarnation's
--   lanes claim nothing and its settlements are refused. A later call finds ids that the blocked command of a frozen lane
--   moved after this one.
-- Transitions: started -> dispatched, started -> error, stopping -> stopped, stopping -> error, dispatched -> error,
--   created -> error
-- KEYS[1] registry
-- KEYS[2] presence hash
-- KEYS[3] hash of the dead
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] incarnation
-- ARGV[3] 'leaving' (by itself, in order), 'dead' (its parent saw it exit) or 'expired' (only if its presence is gone)
-- ARGV[4] why its jobs run again, in words
-- ARGV[5] '1' if its jobs are suspects; '' if it was stopped
-- ARGV[6] for how long its claimed lists are read again, in ms
-- ARGV[7] for 'expired': latest time in ms at which that may be judged, because a clock that was set ends every lease; or ''
-- ARGV[8..12] retention (see ending.lua)
-- Returns {alive 0|1, {id handed back ...}, 1 if another call is needed for the rest of its jobs}
local registry, presence, dead = KEYS[1], KEYS[2], KEYS[3]
local ns, incarnation, cause, reason, suspects, tomb_ms, latest = unpack(ARGV, 1, 7)
local retention = read_retention(8)
local MAX_LANES = 1024 + 32 -- with the spare ones
local MAX_HANDED = 50
local back = {}
if cause == 'expired' and redis.call('PTTL', presence) >= 0 then return { 1, back } end
if cause == 'expired' and latest ~= '' and now > tonumber(latest) then return { 1, back } end

-- Read what an incarnation says about itself. What another version wrote differently counts as not said.
local function read_object(text)
  local ok, object = pcall(cjson.decode, text)
  return ok and type(object) == 'table' and object or {}
end

local described, until_ms, left = redis.call('HGET', registry, incarnation), 0, MAX_HANDED

-- Note among the dead that its claimed lists are to be read again, and whether its jobs are suspects.
local function bury()
  local tomb = { until_ms = until_ms, entry = described, suspects = suspects }
  redis.call('HSET', dead, incarnation, cjson.encode(tomb))
end

if described then
  redis.call('HDEL', registry, incarnation)
  redis.call('DEL', presence, ns .. CONTROL .. incarnation)
  contain(redis.call, 'HDEL', ns .. COUNT_REPORTS, incarnation)
  write_over('XADD', ns .. ACTOR_EVENTS, 'MAXLEN', '~', 1000, '*', 'event', cause == 'leaving' and 'left' or 'lost',
    'incarnation', incarnation, 'entry', described)
  if cause ~= 'leaving' then
    until_ms = now + tonumber(tomb_ms)
    bury()
  end
else
  local tomb = redis.call('HGET', dead, incarnation)
  if not tomb then return { 0, back } end
  tomb = read_object(tomb)
  described, until_ms = tomb.entry, tonumber(tomb.until_ms) or 0
  if tomb.suspects == '' then suspects = '' end
end
local entry = read_object(described)
local type_queue = queue_of(ns, type(entry.suffix) == 'string' and entry.suffix)

local function hand_back(id, queue)
  if not queue then error('script_type is missing or unknown', 0) end
  enqueue(ns, id, queue, nil, true)
  back[#back + 1] = id
end

-- Let a job that was running run again.
local function run_again(id, queue, script_type)
  local key = ns .. JOB .. id
  keep_attempt(key, 'interrupted', 'interrupted', reason)
  redis.call('HSET', key, 'status', 'dispatched', 'rerun_reason', reason, 'updated_at', at)
  redis.call('HDEL', key, 'owner', 'started_at')
  if suspects == '1' then
    redis.call('HSET', key, 'suspect', '1')
    mark_options(key)
  end
  hand_back(id, queue)
  note_event(id, 'dispatched')
  count_one(script_type, 'redeliveries')
end

local function recover_job(id, me)
  local hash = redis.pcall('HMGET', ns .. JOB .. id, 'status', 'owner', 'script_type', 'group', 'instance',
    'extra', FOREIGN_SCRIPT_TYPE)
  if hash.err then error('the job\'s key does not hold a hash', 0) end
  local status_text, owner, script_type, group, instance, extra, foreign_script_type = unpack(hash)
  local options = has_options(extra)
  local status = read_status(status_text)
  local queue = queue_of(ns, script_type or foreign_script_type, group, instance) or type_queue
  if status == 'started' and owner == me then
    run_again(id, queue, script_type or foreign_script_type)
  elseif status == 'stopping' and owner == me then
    end_without_result(ns, id, 'stopped', 'stopped', 'stopped', retention, options)
  elseif (status == 'dispatched' or status == 'created') and (status_text or redis.call('EXISTS', ns .. JOB .. id) == 1) then
    hand_back(id, queue)
  end
end

local lanes = (tonumber(entry.lanes) or MAX_LANES) + (tonumber(entry.spare_lanes) or 0)
for lane = 0, math.min(lanes, MAX_LANES) - 1 do
  local claimed = ns .. CLAIMED .. incarnation .. ':' .. lane
  -- The last ones first, because each goes to the head of its queue.
  local ids = contain(redis.call, 'LRANGE', claimed, -left, -1)
  for i = #(ids or {}), 1, -1 do contain_job(ns, ids[i], retention, recover_job, ids[i], incarnation .. '/' .. lane) end
  if not ids then
    redis.call('DEL', claimed) -- it is not a list
  elseif #ids > 0 then
    redis.call('LTRIM', claimed, 0, -1 - #ids)
    left = left - #ids
  end
  if left <= 0 then break end
end
if left <= 0 then
  -- If this caller dies meanwhile, a supervisor that reads the tomb goes on.
  until_ms = math.max(until_ms, now + tonumber(tomb_ms))
  bury()
elseif until_ms < now then
  redis.call('HDEL', dead, incarnation)
end
settle_ended(ns, retention)
write_events(ns, retention)
return { 0, back, left <= 0 and 1 or 0 }
