-- Read of many jobs who asked for them, for which context, and of which script type.
--
-- Guarantee: reads only; a key that is not a hash counts as a job without these fields.
-- Transitions: (none)
-- KEYS[1] and all others: job hashes
-- Returns for each job {caller, context, script type}, with nil for a missing field; {} for a key that is not a hash
local found = {}
for i, key in ipairs(KEYS) do
  local hash = redis.pcall('HMGET', key, 'caller_id', 'context_id', 'script_type', FOREIGN_CALLER_ID,
    FOREIGN_CONTEXT_ID, FOREIGN_SCRIPT_TYPE)
  if hash.err then
    found[i] = {}
  else
    local caller, context, script_type, foreign_caller, foreign_context, foreign_script_type = unpack(hash)
    found[i] = { caller or foreign_caller, context or foreign_context, script_type or foreign_script_type }
  end
end
return found
