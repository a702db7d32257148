-- Writing the values of a context within their bounds.
--
-- The hash of a context holds its size in bytes, names included, under the empty name, which no value can have. A second
-- hash holds when values end, in milliseconds, by name; it has names of values only. Time comes from time.lua.
-- Transitions: (none)

-- Write a value, or remove it if `value` is nil; then the bounds may be nil, too. Returns 0 done, 2 too many values, 3 too
--   many bytes.
local function put_value(key, name, value, max_values, max_bytes)
  local old = redis.call('HGET', key, name)
  local size = tonumber(redis.call('HGET', key, '') or '0')
  if not size or size < 0 or max_bytes and size > max_bytes then -- damaged: count again
    size = 0
    for _, text in ipairs(redis.call('HGETALL', key)) do size = size + #text end
    size = size - #redis.call('HGET', key, '')
  end
  if old then size = size - #name - #old end
  if value then
    -- HLEN counts the entry that holds the size, too.
    if not old and redis.call('HLEN', key) > max_values then return 2 end
    size = size + #name + #value
    if size > max_bytes then return 3 end
    redis.call('HSET', key, name, value, '', size)
  elseif old then
    redis.call('HDEL', key, name)
    if redis.call('HLEN', key) <= 1 then redis.call('DEL', key) else redis.call('HSET', key, '', size) end
  end
  return 0
end

-- Forget a value whose time is over.
local function end_value(key, ends, name)
  local end_ms = redis.call('HGET', ends, name)
  if end_ms and (tonumber(end_ms) or 0) <= now then
    put_value(key, name, nil)
    redis.call('HDEL', ends, name)
  end
end

-- Forget values whose time is over, 500 at most; the next call forgets more. Returns the set of all that are over.
local function end_values(key, ends)
  local over, left, flat = {}, 500, redis.call('HGETALL', ends)
  for i = 1, #flat, 2 do
    if (tonumber(flat[i + 1]) or 0) <= now then
      over[flat[i]] = true
      if left > 0 then end_value(key, ends, flat[i]) end
      left = left - 1
    end
  end
  return over
end

-- Write a value; those whose time is over make room first, if they must. Returns what put_value returns.
local function keep_value(key, ends, name, value, max_values, max_bytes)
  local code = put_value(key, name, value, max_values, max_bytes)
  if code ~= 0 and redis.call('EXISTS', ends) == 1 then
    end_values(key, ends)
    code = put_value(key, name, value, max_values, max_bytes)
  end
  return code
end
