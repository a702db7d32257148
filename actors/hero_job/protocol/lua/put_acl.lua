-- Replace the lists of a context.
--
-- Guarantee: nothing is written unless the lists are those that the caller has seen.
-- Transitions: (none)
-- KEYS[1] lists of the context
-- ARGV[1] version of the lists that the caller has seen
-- ARGV[2] the new lists
-- Returns {0}; {1, lists} the lists have changed
local acl = changed_acl(KEYS[1], ARGV[1])
if acl then return { 1, acl } end
redis.call('SET', KEYS[1], ARGV[2])
return { 0 }
