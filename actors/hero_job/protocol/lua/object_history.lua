-- Read the versions of an object that are kept, the newest first.
--
-- Guarantee: reads only; the number of versions is bounded.
-- Transitions: (none)
-- KEYS[1] objects: hash of sid -> record
-- KEYS[2] earlier versions: hash of 'sid version' -> record
-- KEYS[3] lists of the context
-- ARGV[1] version of the lists, '' if they do not concern the caller
-- ARGV[2] sid
-- ARGV[3] how many versions are kept
-- Returns {0, {record ...}}; {1, lists} the lists have changed
local acl = changed_acl(KEYS[3], ARGV[1])
if acl then return { 1, acl } end
local sid = ARGV[2]
local newest = redis.call('HGET', KEYS[1], sid)
local records = { newest or nil }
for version = version_of(newest) - 1, math.max(1, version_of(newest) - ARGV[3] + 1), -1 do
  local record = redis.call('HGET', KEYS[2], sid .. ' ' .. string.format('%d', version))
  if record then records[#records + 1] = record end
end
return { 0, records }
