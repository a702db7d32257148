-- Read one page of all jobs, in no particular order.
--
-- Guarantee: reads only; a job that exists during the whole walk is on at least one page.
-- Transitions: (none)
-- KEYS[1] any key of the namespace; it only names the Cluster slot
-- ARGV[1] prefix of the job keys
-- ARGV[2] cursor, '0' at the start
-- ARGV[3] approximate number of keys to read; more than 1,000 count as 1,000
-- ARGV[4] bytes after which the page ends; those of the last few jobs exceed them
-- Returns {next cursor ('0' at the end), {{id, {name, value ...} or the server's error text} ...}}
local prefix, cursor, count, most_bytes = ARGV[1], ARGV[2], math.min(tonumber(ARGV[3]), 1000), tonumber(ARGV[4])
-- All that one SCAN finds must be on the page. So it looks for few: a job may have a result of megabytes.
local step = math.min(count, 20)
local pattern = string.gsub(prefix, '[%*%?%[%]\\]', '\\%0') .. '*'
local found, bytes = {}, 0
-- A shared server may have long stretches without a job of this namespace. The page goes on past them, but not for ever.
for _ = 1, math.ceil(5000 / step) do
  local next_cursor, keys = unpack(redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', step))
  cursor = next_cursor
  for _, key in ipairs(keys) do
    local hash = redis.pcall('HGETALL', key)
    for _, value in ipairs(hash) do bytes = bytes + #value end
    found[#found + 1] = { string.sub(key, #prefix + 1), hash.err or hash }
  end
  if cursor == '0' or #found >= count or bytes >= most_bytes then break end
end
return { cursor, found }
