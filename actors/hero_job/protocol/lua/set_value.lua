-- Keep a value of a context.
--
-- Guarantee: the context stays within its bounds, no matter how many actors write; of several that compare with the same
--   value, one writes.
-- Transitions: (none)
-- KEYS[1] hash of the context
-- KEYS[2] hash of the ends of its values
-- ARGV[1] name
-- ARGV[2] value
-- ARGV[3] 'always'; 'new' to leave an existing value as it is; 'equal' to leave one that is not ARGV[4]
-- ARGV[4] the value to compare with
-- ARGV[5] for how many ms it is kept; '' for ever
-- ARGV[6] most values in the context
-- ARGV[7] most bytes in the context
-- Returns 0 done, 1 left as it was, 2 too many values, 3 too many bytes
local context, ends, name, value, condition, expected, kept_ms = KEYS[1], KEYS[2], unpack(ARGV, 1, 5)
end_value(context, ends, name)
if condition ~= 'always' then
  local old = redis.call('HGET', context, name)
  if old ~= (condition == 'equal' and expected) then return 1 end -- false is no value, and none is wanted
end
local code = keep_value(context, ends, name, value, tonumber(ARGV[6]), tonumber(ARGV[7]))
if code == 0 then
  if kept_ms == '' then
    redis.call('HDEL', ends, name)
  else
    redis.call('HSET', ends, name, now + tonumber(kept_ms))
  end
end
return code
