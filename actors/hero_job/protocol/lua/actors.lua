-- Read one page of the incarnations in the registry, each with its presence.
--
-- Guarantee: reads only. An incarnation that is there during the whole walk is on a page, maybe on two.
-- Transitions: (none)
-- KEYS[1] registry
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] cursor, '0' at the start
-- ARGV[3] approximate number of incarnations
-- Returns {next cursor ('0' at the end), {{incarnation, its description as JSON, ms until its presence expires
--   (-2: expired), when it beat, its busy lanes, the jobs it has run} ...}}
local ns = ARGV[1]
local found = {}
local cursor, registry = unpack(redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3]))
for i = 1, #registry, 2 do
  local presence = ns .. PRESENCE .. registry[i]
  local hash = redis.pcall('HMGET', presence, 'beat_at', 'busy', 'jobs')
  if hash.err then hash = {} end
  found[#found + 1] = { registry[i], registry[i + 1], redis.call('PTTL', presence), hash[1] or '', hash[2] or '',
    hash[3] or '' }
end
return { cursor, found }
