-- Which jobs of a list a reader wants. Needs spellings, foreign.

-- Does a text contain another one, in any case of ASCII letters?
local function contains(text, part)
  return text and string.find(string.lower(text), part, 1, true)
end

-- Our own times can be compared as texts; those of other programs are compared by the reader of the page.
local function is_our_time(text)
  return text and #text == 24 and string.sub(text, 24) == 'Z'
end

-- May this job be wanted? The reader compares again, so what this function cannot judge passes.
-- wanted: the fields of a JobSelection (model/overview/selection.py); absent ones match all jobs.
-- moved: of a job that was found by an event: {its status then, the time as ISO 8601, whether the page began in that ms};
--   a later event has shown it already, unless this is its last one. unmoved_since: only jobs that have not moved since;
--   nil for all.
-- Returns true, false, or the reason why the hash cannot be read.
local function may_be_wanted(wanted, id, key, moved, unmoved_since)
  if wanted.id_prefix and string.sub(id, 1, #wanted.id_prefix) ~= wanted.id_prefix then return false end
  if moved and wanted.status and moved[1] ~= wanted.status then return false end
  local hash = redis.pcall('HMGET', key, 'status', 'updated_at', 'extra', 'script_type', 'caller_id', 'context_id',
    'batch', 'group', 'error_kind', 'created_at', FOREIGN_SCRIPT_TYPE, FOREIGN_CALLER_ID, FOREIGN_CONTEXT_ID)
  if hash.err then return hash.err end
  local status_text, updated_at, extra, script_type, caller_id, context_id, batch, group, error_kind, created_at,
    foreign_script_type, foreign_caller_id, foreign_context_id = unpack(hash)
  if not status_text and redis.call('EXISTS', key) == 0 then return false end
  local status = read_status(status_text)
  if moved and is_our_time(updated_at) and updated_at > moved[2] then return false end
  if moved and status ~= moved[1] then
    -- It has moved without an event, as third-party actors move the jobs that they take, or twice in this ms.
    if moved[3] or not is_our_time(updated_at) and moved[1] ~= 'dispatched' then return false end
  end
  if unmoved_since and is_adopted(extra) and is_our_time(updated_at) and updated_at > unmoved_since then return false end
  if wanted.status and status ~= wanted.status then return false end
  if wanted.script_type and string.lower(script_type or foreign_script_type or '') ~= wanted.script_type then
    return false
  end
  if wanted.caller_id and (caller_id or foreign_caller_id) ~= wanted.caller_id then return false end
  if wanted.context_id and (context_id or foreign_context_id) ~= wanted.context_id then return false end
  if wanted.batch and batch ~= wanted.batch or wanted.group and group ~= wanted.group then return false end
  if wanted.error_kind and error_kind ~= wanted.error_kind then return false end
  if is_our_time(created_at) then
    if wanted.created_after and created_at < wanted.created_after then return false end
    if wanted.created_before and created_at >= wanted.created_before then return false end
  end
  if wanted.text then
    local script, message = unpack(redis.call('HMGET', key, 'script', 'error'))
    if not contains(script, wanted.text) and not contains(message, wanted.text) then return false end
  end
  return true
end

-- The page of jobs that is being filled: {id, extra, {name, value ...} or the reason why it cannot be read}.
local found, found_bytes = {}, 0

local function add_found(id, key, extra, damage)
  local hash = damage or redis.pcall('HGETALL', key)
  if type(hash) == 'table' and hash.err then hash = hash.err end
  found[#found + 1] = { id, extra, hash }
  if type(hash) == 'table' then
    for _, value in ipairs(hash) do found_bytes = found_bytes + #value end
  end
end
