-- Look for incarnations whose presence has expired in one page of the registry.
--
-- Guarantee: reads only. An incarnation that is there during the whole walk is on a page, maybe on two.
-- Transitions: (none)
-- KEYS[1] registry
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] cursor, '0' at the start
-- ARGV[3] approximate number of incarnations to look at
-- Returns {now, next cursor ('0' at the end), {incarnation ...}}
local ns = ARGV[1]
local found = {}
local cursor, registry = unpack(redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3]))
for i = 1, #registry, 2 do
  -- A key without an expiry was not written by a beat.
  if redis.call('PTTL', ns .. PRESENCE .. registry[i]) < 0 then found[#found + 1] = registry[i] end
end
return { now, cursor, found }
