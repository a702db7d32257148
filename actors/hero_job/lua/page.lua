-- One page of the jobs, in no order.
--
-- Guarantee: reads only; a job that exists during the whole walk is on at least one page.
-- Transitions: (none)
-- KEYS[1] any key of the namespace (names the Cluster slot)
-- ARGV[1] prefix of the job keys     ARGV[2] cursor, '0' at the start     ARGV[3] about how many keys to look at
-- Returns {next cursor ('0': the end), {{id, {name, value ...} or the server's error text} ...}}
local scan = redis.call('SCAN', ARGV[2], 'MATCH', string.gsub(ARGV[1], '[%*%?%[%]\\]', '\\%0') .. '*', 'COUNT', ARGV[3])
local found = {}
for _, key in ipairs(scan[2]) do
  local hash = redis.pcall('HGETALL', key)
  found[#found + 1] = { string.sub(key, #ARGV[1] + 1), hash.err or hash }
end
return { scan[1], found }
