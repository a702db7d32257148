-- Jobs that another program created: what their hash asks for counts as if they had been created here. Needs time,
-- spellings, damage.
--
-- The field `extra` says who has looked at the options of a job: '0' it has none, '1' they are registered; absent or '2'
-- (another job waits for it, or it for another job) nobody has. A plain job of ours is created with '0'.

-- Prerequisites and dependents that this call has looked at. A caller that goes through many jobs ends with those that
-- it has when they are many.
local links = 0

local function has_options(extra)
  return extra and extra ~= '0'
end

local function is_adopted(extra)
  return extra == '0' or extra == '1'
end

-- Note that somebody else has registered something for a job.
local function mark_options(key)
  local extra = redis.call('HGET', key, 'extra')
  if extra ~= '1' then redis.call('HSET', key, 'extra', is_adopted(extra) and '1' or '2') end
end

-- Milliseconds since 1970 of a time in ISO 8601 with a time zone.
local function read_time(name, text)
  local year, month, day, hour, minute, rest = string.match(text,
    '^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d)(.*)$')
  local second, zone = string.match(rest or '', '^:?([%d%.]*)(.*)$')
  local sign, zone_hours, zone_minutes = string.match(zone or '', '^([+-])(%d%d):?(%d%d)$')
  if not year or not sign and zone ~= 'Z' and zone ~= 'z' then
    error(name .. ' is not a time in ISO 8601 with a time zone: ' .. string.sub(text, 1, 80), 0)
  end
  -- The inverse of the count of eras in time.lua.
  year, month = tonumber(year), tonumber(month)
  if month <= 2 then year = year - 1 end
  local year_of_era = year % 400
  local day_of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5) + tonumber(day) - 1
  local days = math.floor(year / 400) * 146097 + year_of_era * 365 + math.floor(year_of_era / 4)
    - math.floor(year_of_era / 100) + day_of_year - 719468
  local offset = sign and (tonumber(zone_hours) * 60 + tonumber(zone_minutes)) * (sign == '-' and -1 or 1) or 0
  return ((days * 24 + tonumber(hour)) * 60 + tonumber(minute) - offset) * 60000 + (tonumber(second) or 0) * 1000
end

-- Keep the record of a job until another job has ended, which will read it. For a year, so that the set of a job that
-- somebody removed does not keep it for ever.
local function keep_for(ns, id, prerequisite)
  local readers, kept_ms = ns .. READERS .. prerequisite, 366 * 86400000
  write_over('SADD', readers, id)
  redis.call('PEXPIRE', readers, kept_ms)
  if redis.call('PTTL', ns .. JOB .. prerequisite) >= 0 then redis.call('PEXPIRE', ns .. JOB .. prerequisite, kept_ms) end
end

-- Let a job wait for another one. Returns 1, or 0 if it was registered already.
local function wait_for(ns, id, prerequisite)
  links = links + 1
  mark_options(ns .. JOB .. prerequisite)
  keep_for(ns, id, prerequisite)
  return write_over('SADD', ns .. DEPENDENTS .. prerequisite, id)
end

-- Let a job wait for one more prerequisite, unless it does so already.
local function add_prerequisite(ns, id, prerequisite)
  if wait_for(ns, id, prerequisite) == 0 then return end
  local key = ns .. JOB .. id
  redis.call('HINCRBY', key, 'pending', 1)
  local added = read_ids('prerequisites_added', redis.call('HGET', key, 'prerequisites_added'))
  added[#added + 1] = prerequisite
  links = links + #added / 10 -- their text is read and written again
  redis.call('HSET', key, 'prerequisites_added', cjson.encode(added))
  mark_options(key)
end

-- Let the jobs that a job names as its dependents wait for it, if they have not started.
local function adopt_dependents(ns, id, dependents)
  for _, dependent in ipairs(dependents) do
    links = links + 1
    local status = status_of(ns .. JOB .. dependent)
    if status == 'created' or status == 'waiting_for_prerequisites' then
      add_prerequisite(ns, dependent, id)
    end
  end
end

-- Count a new job for its batch. One that was announced is counted already; one more, or one of a batch that nobody has
-- announced, makes the batch larger, and opens it again if it had ended.
local function join_batch(ns, batch_id)
  local batch = ns .. BATCH .. batch_id
  local left, asked = unpack(redis.call('HMGET', batch, 'left', 'asked'))
  if left and read_number('left', left) > 0 then
    redis.call('HINCRBY', batch, 'left', -1)
  elseif left or not asked then
    if redis.call('HINCRBY', batch, 'total', 1) == 1 then note_batch(ns .. BATCHES, batch_id) end
    if redis.call('HINCRBY', batch, 'open', 1) == 1 then
      redis.call('DEL', ns .. BATCH_REPLY .. batch_id)
      redis.call('PEXPIRE', batch, 366 * 86400000)
    end
  end
end

-- Register the options of a job that nobody has looked at. Returns nil, or kind and message of the error that it ends in.
-- suffix: script type of the queue that its id was in; nil if it was in none.
local function adopt(ns, id, suffix)
  local key = ns .. JOB .. id
  local asked, values = {}, redis.call('HMGET', key, 'extra', 'script_type', FOREIGN_SCRIPT_TYPE, unpack(OPTION_FIELDS))
  local extra, script_type, foreign_script_type = unpack(values)
  local is_plain = extra ~= '2'
  for i, name in ipairs(OPTION_FIELDS) do
    local value = values[i + 3]
    if value == 'null' or value == '' and name ~= 'prerequisites' and name ~= 'dependents' then
      redis.call('HDEL', key, name) -- how some languages write a field that is not set
    elseif value then
      asked[name] = value
      is_plain = is_plain and (value == '[]' or value == '0' or value == 'false' or value == 'normal')
    end
  end
  for _, route in ipairs({ 'group', 'instance' }) do
    if redis.call('HGET', key, route) == 'null' then redis.call('HDEL', key, route) end
  end
  if not script_type and not foreign_script_type and suffix then redis.call('HSET', key, 'script_type', suffix) end
  redis.call('HSET', key, 'extra', is_plain and '0' or '1')
  if is_plain then return end

  if asked.batch then contain(join_batch, ns, asked.batch) end
  if asked.not_before then redis.call('HSET', key, 'due_ms', read_time('not_before', asked.not_before)) end
  local open = 0
  for _, prerequisite in ipairs(read_ids('prerequisites', asked.prerequisites)) do
    links = links + 1
    local status = status_of(ns .. JOB .. prerequisite)
    if not status then return 'prerequisite_failed', 'there is no job with the id of its prerequisite ' .. prerequisite end
    if not is_terminal(status) then
      open = open + wait_for(ns, id, prerequisite)
    elseif status == 'finished' or asked.run_after_failure == 'true' then
      keep_for(ns, id, prerequisite)
    else
      return 'prerequisite_failed', 'its prerequisite ' .. prerequisite .. ' ended as ' .. status
    end
  end
  if open > 0 then redis.call('HINCRBY', key, 'pending', open) end
  adopt_dependents(ns, id, read_ids('dependents', asked.dependents))
  if asked.unique_key then
    local unique = ns .. UNIQUE .. asked.unique_key
    local holder = redis.pcall('GET', unique)
    if type(holder) == 'string' and holder ~= id and redis.call('EXISTS', ns .. JOB .. holder) == 1 then
      return 'not_unique', 'job ' .. holder .. ' holds its unique_key'
    end
    redis.call('SET', unique, id)
    if asked.unique_for_s then
      redis.call('PEXPIRE', unique, math.ceil(read_number('unique_for_s', asked.unique_for_s) * 1000))
    end
  end
end
