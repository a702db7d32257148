-- List all incarnations in the registry with their presence.
--
-- Guarantee: reads only.
-- Transitions: (none)
-- KEYS[1] registry
-- ARGV[1] namespace prefix, with its colon
-- Returns {{incarnation, its description as JSON, ms until its presence expires (-2: expired), {name, value ...}} ...}
local ns = ARGV[1]
local found = {}
local registry = redis.call('HGETALL', KEYS[1])
for i = 1, #registry, 2 do
  local incarnation, description = registry[i], registry[i + 1]
  local presence = ns .. PRESENCE .. incarnation
  local hash = redis.pcall('HGETALL', presence)
  found[#found + 1] = { incarnation, description, redis.call('PTTL', presence), hash.err and {} or hash }
end
return found
