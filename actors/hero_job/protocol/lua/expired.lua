-- List the incarnations that are in the registry although their presence has expired.
--
-- Guarantee: reads only.
-- Transitions: (none)
-- KEYS[1] registry
-- ARGV[1] namespace prefix, with its colon
-- Returns {now, {incarnation ...}}
local ns = ARGV[1]
local found = {}
for _, incarnation in ipairs(redis.call('HKEYS', KEYS[1])) do
  -- A key without an expiry was not written by a beat.
  if redis.call('PTTL', ns .. PRESENCE .. incarnation) < 0 then found[#found + 1] = incarnation end
end
return { now, found }
