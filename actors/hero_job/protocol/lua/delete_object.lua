-- Delete an object and its earlier versions.
--
-- Guarantee: as that of put_object.
-- Transitions: (none)
-- KEYS[1] objects: hash of sid -> record
-- KEYS[2] index: sorted set of 'field:word sid'
-- KEYS[3] earlier versions: hash of 'sid version' -> record
-- KEYS[4] lists of the context
-- KEYS[5] types that have objects
-- ARGV[1] version of the lists, '' if they do not concern the caller
-- ARGV[2] sid
-- ARGV[3] version that the caller has seen
-- ARGV[4] how many versions are kept
-- ARGV[5] context and type, for the types that have objects
-- ARGV[6 ...] the entries of the index that go
-- Returns {0}; {1, lists} the lists have changed; {2, record or ''} the object has changed
local acl = changed_acl(KEYS[4], ARGV[1])
if acl then return { 1, acl } end
local sid, seen = ARGV[2], ARGV[3]
local old = redis.call('HGET', KEYS[1], sid)
if version_of(old) ~= seen then return { 2, old or '' } end
redis.call('HDEL', KEYS[1], sid)
for version = math.max(1, seen - ARGV[4] + 1), seen - 1 do
  redis.call('HDEL', KEYS[3], sid .. ' ' .. string.format('%d', version))
end
index('ZREM', KEYS[2], sid, ARGV, 6, #ARGV)
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREM', KEYS[5], ARGV[5]) end
return { 0 }
