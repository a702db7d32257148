-- Read one page of all jobs, in no particular order.
--
-- Guarantee: reads only; a job that exists during the whole walk is on at least one page.
-- Transitions: (none)
-- KEYS[1] any key of the namespace; it only names the Cluster slot
-- ARGV[1] prefix of the job keys
-- ARGV[2] cursor, '0' at the start
-- ARGV[3] approximate number of keys to read; more than 1,000 count as 1,000
-- Returns {next cursor ('0' at the end), {{id, {name, value ...} or the server's error text} ...}}
local prefix, cursor, count = ARGV[1], ARGV[2], math.min(tonumber(ARGV[3]), 1000)
local pattern = string.gsub(prefix, '[%*%?%[%]\\]', '\\%0') .. '*'
local found = {}
-- A shared server may have long stretches without a job of this namespace. The page goes on past them, but not for ever.
for _ = 1, math.ceil(5000 / count) do
  local next_cursor, keys = unpack(redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', count))
  cursor = next_cursor
  for _, key in ipairs(keys) do
    local hash = redis.pcall('HGETALL', key)
    found[#found + 1] = { string.sub(key, #prefix + 1), hash.err or hash }
  end
  if cursor == '0' or #found >= count then break end
end
return { cursor, found }
