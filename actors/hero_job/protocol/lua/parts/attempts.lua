-- What is kept of the attempts of a job that were not its last one. Needs time.

-- Keep how the current attempt of a job ended: the newest ten, the oldest first, some 300 bytes each.
-- outcome: failed, crashed, interrupted, or the status in which an operator found it. ended_at: nil for now.
local function keep_attempt(key, outcome, kind, message, ended_at)
  local text, number, released, owner, started_at = unpack(redis.call('HMGET', key, 'attempts', 'attempt', 'released',
    'owner', 'started_at'))
  local ok, kept = pcall(cjson.decode, text and #text < 20000 and text or '[]')
  local rows = {}
  if ok and type(kept) == 'table' then
    for i = math.max(1, #kept - 8), #kept do rows[#rows + 1] = kept[i] end
  end
  message = message or ''
  -- Cut between two characters.
  if #message > 200 then message = string.gsub(string.sub(message, 1, 200), '[\192-\255][\128-\191]*$', '') end
  rows[#rows + 1] = { attempt = (tonumber(number) or 0) - (tonumber(released) or 0), owner = owner or '',
    started_at = started_at or '', ended_at = ended_at or at, outcome = outcome, error_kind = string.sub(kind or '', 1, 100),
    error = message }
  redis.call('HSET', key, 'attempts', cjson.encode(rows))
end
