-- List the names of a context's values that begin with a prefix.
--
-- Guarantee: the number of values is bounded; those whose time is over are left out.
-- Transitions: (none)
-- KEYS[1] hash of the context
-- KEYS[2] hash of the ends of its values
-- ARGV[1] prefix
-- Returns {name ...}, in no particular order
local context, prefix = KEYS[1], ARGV[1]
local names = {}
local over = end_values(context, KEYS[2])
for _, name in ipairs(redis.call('HKEYS', context)) do
  -- The empty name holds the size.
  if name ~= '' and not over[name] and string.sub(name, 1, #prefix) == prefix then names[#names + 1] = name end
end
return names
