-- Look for jobs among all keys of the server, in no particular order.
--
-- Guarantee: reads only; looks at a bounded number of keys. A job that exists during the whole search is found.
-- Transitions: (none)
-- KEYS[1] any key of the namespace; it only names the Cluster slot
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] JSON: the wanted jobs; see selection.lua
-- ARGV[3] cursor, '0' at the start
-- ARGV[4] approximate number of keys to look at
-- ARGV[5] bytes of records after which the page ends; those of the last few jobs exceed them
-- Returns {next cursor ('0' at the end), keys looked at, keys of the server, {{id, '', {name, value ...} or the reason why
--   it cannot be read} ...}}
local ns, wanted, cursor, most_keys, most_bytes = ARGV[1], cjson.decode(ARGV[2]), ARGV[3], tonumber(ARGV[4]),
  tonumber(ARGV[5])
local prefix, looked = ns .. JOB, 0
while looked < most_keys and found_bytes < most_bytes do
  -- All jobs among these keys are on the page, so they are few: a job may have a result of megabytes.
  local next_cursor, keys = unpack(redis.call('SCAN', cursor, 'COUNT', 20))
  cursor = next_cursor
  looked = looked + #keys
  for _, key in ipairs(keys) do
    if string.sub(key, 1, #prefix) == prefix then
      local id = string.sub(key, #prefix + 1)
      local answer = may_be_wanted(wanted, id, key)
      if answer then add_found(id, key, '', answer ~= true and answer or nil) end
    end
  end
  if cursor == '0' then break end
end
return { cursor, looked, redis.call('DBSIZE'), found }
