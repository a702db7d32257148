-- Write a version of an object, and keep the versions before it.
--
-- Guarantee: nothing is written unless the lists of the context and the object are those that the caller has seen; the
--   index always has exactly the entries of the stored version.
-- Transitions: (none)
-- KEYS[1] objects: hash of sid -> record
-- KEYS[2] index: sorted set of 'field:word sid'
-- KEYS[3] earlier versions: hash of 'sid version' -> record
-- KEYS[4] lists of the context
-- KEYS[5] types that have objects
-- ARGV[1] version of the lists, '' if they do not concern the caller
-- ARGV[2] sid
-- ARGV[3] version that the caller has seen, '0' if there was none
-- ARGV[4] first of the versions that the same job wrote in a row
-- ARGV[5] the rest of the record
-- ARGV[6] how many versions are kept, the new one included
-- ARGV[7] most objects of the type
-- ARGV[8] context and type, for the types that have objects
-- ARGV[9] how many entries of the index go
-- ARGV[10 ...] the entries that go, then those that come
-- Returns {0, version, time in ms}; {1, lists} the lists have changed; {2, record or ''} the object has changed;
--   {3} there are too many objects
local acl = changed_acl(KEYS[4], ARGV[1])
if acl then return { 1, acl } end
local sid, seen, gone = ARGV[2], ARGV[3], tonumber(ARGV[9])
local old = redis.call('HGET', KEYS[1], sid)
if version_of(old) ~= seen then return { 2, old or '' } end
if not old and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[7]) then return { 3 } end
local now = redis.call('TIME')
local now_ms = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
local version = string.format('%d', seen + 1)
if old then
  redis.call('HSET', KEYS[3], sid .. ' ' .. seen, old)
  redis.call('HDEL', KEYS[3], sid .. ' ' .. string.format('%d', version - ARGV[6]))
end
redis.call('HSET', KEYS[1], sid, version .. ' ' .. now_ms .. ' ' .. ARGV[4] .. '\n' .. ARGV[5])
index('ZREM', KEYS[2], sid, ARGV, 10, 9 + gone)
index('ZADD', KEYS[2], sid, ARGV, 10 + gone, #ARGV)
redis.call('ZADD', KEYS[5], 0, ARGV[8])
return { 0, version, now_ms }
