-- All incarnations in the registry with their presence.
--
-- Guarantee: reads only.
-- Transitions: (none)
-- KEYS[1] registry     ARGV[1] namespace prefix
-- Returns {{incarnation, JSON of what it is, ms that its presence still lives (-2: expired), {name, value ...}} ...}
local found = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local presence = ARGV[1] .. 'meta:actor:' .. all[i]
  found[#found + 1] = { all[i], all[i + 1], redis.call('PTTL', presence), redis.call('HGETALL', presence) }
end
return found
