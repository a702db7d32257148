-- Which incarnations need recovery: those in the registry whose presence has expired, and the dead that are still in the
-- time in which their claimed lists are looked at.
--
-- Guarantee: reads only.
-- Transitions: (none)
-- KEYS[1] registry     KEYS[2] hash of the dead     ARGV[1] namespace prefix
-- Returns {incarnation ...}
local found = {}
for _, incarnation in ipairs(redis.call('HKEYS', KEYS[1])) do
  if redis.call('EXISTS', ARGV[1] .. 'meta:actor:' .. incarnation) == 0 then found[#found + 1] = incarnation end
end
for _, incarnation in ipairs(redis.call('HKEYS', KEYS[2])) do found[#found + 1] = incarnation end
return found
