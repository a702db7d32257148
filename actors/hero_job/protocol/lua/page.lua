-- One page of the jobs, in no order.
--
-- Guarantee: reads only; a job that exists during the whole walk is on at least one page.
-- Transitions: (none)
-- KEYS[1] any key of the namespace (names the Cluster slot)
-- ARGV[1] prefix of the job keys     ARGV[2] cursor, '0' at the start     ARGV[3] about how many keys to look at
-- Returns {next cursor ('0': the end), {{id, {name, value ...} or the server's error text} ...}}
local pattern = string.gsub(ARGV[1], '[%*%?%[%]\\]', '\\%0') .. '*'
local cursor, found = ARGV[2], {}
-- A server that others share may have long stretches without a job of ours: a page goes on looking, but not for ever.
for _ = 1, 50 do
  local scan = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', ARGV[3])
  cursor = scan[1]
  for _, key in ipairs(scan[2]) do
    local hash = redis.pcall('HGETALL', key)
    found[#found + 1] = { string.sub(key, #ARGV[1] + 1), hash.err or hash }
  end
  if cursor == '0' or #found >= tonumber(ARGV[3]) then break end
end
return { cursor, found }
