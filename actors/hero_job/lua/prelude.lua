-- Put before every script by lua.py. Shared functions; no transition of its own.
-- Time is the server's: one clock for all hosts.

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Milliseconds since 1970 as ISO 8601 in UTC, '2026-11-24T06:00:00.123Z'.
-- The civil calendar from a day number, by eras of 400 years counted from 1 March: leap days fall at a year's end.
local function iso(ms)
  local s = math.floor(ms / 1000)
  local days = math.floor(s / 86400)
  local rest = s - days * 86400
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day, math.floor(rest / 3600),
    math.floor(rest / 60) % 60, rest % 60, ms % 1000)
end

-- The queue that a job belongs to, or nil when its script type is unknown.
-- script_type, group, instance: fields of the job's hash, false where missing.
local function queue_of(ns, script_type, group, instance)
  local suffix = script_type and string.lower(script_type)
  if suffix ~= 'osis' and suffix ~= 'sal' and suffix ~= 'v' and suffix ~= 'python' then return nil end
  local queue = ns .. 'q:work:type:' .. suffix
  if group and group ~= '' then
    queue = queue .. ':group:' .. group
    if instance and instance ~= '' then queue = queue .. ':inst:' .. instance end
  end
  return queue
end

-- Terminal transitions of this call: id, status, id, status ... One stream entry tells them all: an entry a job costs the
-- server more than everything else that a settlement writes.
local ended = {}

-- What every terminal transition leaves behind, once: the reply, its expiry, the job's expiry, and word of it.
-- The status and the result fields are the caller's to write; so is the call of tell_ended at the end.
local function conclude(ns, id, status, reply, reply_ttl_ms, job_ttl_ms)
  local reply_key = ns .. 'q:reply:' .. id
  redis.call('RPUSH', reply_key, reply)
  redis.call('PEXPIRE', reply_key, reply_ttl_ms)
  redis.call('PEXPIRE', ns .. 'job:' .. id, job_ttl_ms)
  ended[#ended + 1] = id
  ended[#ended + 1] = status
end

-- Put the terminal transitions of this call on the event stream. In pieces: unpack has a limit of some thousands.
local function tell_ended(ns, events_max)
  for first = 1, #ended, 1000 do
    redis.call('XADD', ns .. 'events', 'MAXLEN', '~', events_max, '*', unpack(ended, first, math.min(first + 999, #ended)))
  end
end

-- End a job in error by the runtime's own decision, whatever its key holds.
local function fail(ns, id, kind, message, at, reply_ttl_ms, job_ttl_ms)
  redis.call('HSET', ns .. 'job:' .. id, 'id', id, 'status', 'error', 'error', message, 'error_kind', kind,
    'finished_at', at, 'updated_at', at)
  local reply = cjson.encode({ job_id = id, status = 'error', error = message, error_kind = kind, output = cjson.null })
  conclude(ns, id, 'error', reply, reply_ttl_ms, job_ttl_ms)
end
