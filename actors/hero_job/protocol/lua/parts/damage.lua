-- Containment: an error that one damaged record raises ends at that record. Needs nothing.

-- Call a function for one record. Returns its result; or nil and the reason if the record cannot be read. What the
-- server refuses for every record (it is full, a replica, ...) is raised again.
local function contain(f, ...)
  local ok, result = pcall(f, ...)
  if ok then return result end
  local reason = type(result) == 'table' and result.err or tostring(result)
  reason = string.gsub(reason, '^@?user_script:%s?%d+: ', '')
  local code = string.match(reason, '^%-?(%u+) ')
  if code and code ~= 'ERR' and code ~= 'WRONGTYPE' then error(result, 0) end
  return nil, reason
end

-- Write to a key that nobody else may use: what else is under it goes first, and so does a stream that has no next id.
local function write_over(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' then return answer end
  local reason = answer.err or ''
  if not string.find(reason, 'WRONGTYPE', 1, true) and not string.find(reason, 'has exhausted', 1, true) then
    error(answer, 0)
  end
  redis.call('DEL', key)
  return redis.call(command, key, ...)
end

-- Read the number in a field of a record. An absent or empty one, and JSON's null, mean `default`.
local function read_number(name, text, default)
  if (not text or text == '' or text == 'null') and default then return default end
  local number = tonumber(text or nil)
  if not number or number ~= number or math.abs(number) == math.huge then
    error(name .. ' is not a number: ' .. string.sub(tostring(text), 1, 80), 0)
  end
  return number
end

-- Most jobs before one job, and after it; MAX_IDS in limits.py.
local MOST_IDS = 1000

-- Read the JSON array of job ids in a field of a record. An absent one, and JSON's null, mean none.
local function read_ids(name, text)
  if not text or text == '[]' or text == 'null' then return {} end
  local ok, ids = pcall(cjson.decode, text)
  if ok and type(ids) == 'table' then
    for i, id in pairs(ids) do ok = ok and type(i) == 'number' and type(id) == 'string' end
  else
    ok = false
  end
  if not ok then error(name .. ' is not a JSON array of job ids: ' .. string.sub(text, 1, 80), 0) end
  if #ids > MOST_IDS then error(name .. ' lists more than ' .. MOST_IDS .. ' jobs', 0) end
  return ids
end
