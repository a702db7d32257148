-- Count the ids that actors can claim from a queue, and read since when the first ones wait.
--
-- Guarantee: reads only; O(1) in the length of the queue. What a paused queue holds aside does not count.
-- Transitions: (none)
-- KEYS[1] the queue
-- ARGV[1] prefix of the job keys
-- Returns {how many ids wait, now in seconds with six decimals, {since when the first id of each list waits, or ''}}
local queue, job_prefix = KEYS[1], ARGV[1]
local waiting, since = 0, {}
for _, suffix in ipairs({ '', LOW }) do
  local list = queue .. suffix
  waiting = waiting + redis.call('LLEN', list)
  local id = redis.call('LINDEX', list, 0)
  local times = id and redis.pcall('HMGET', job_prefix .. id, 'updated_at', 'created_at', FOREIGN_UPDATED_AT,
    FOREIGN_CREATED_AT)
  if times and not times.err then
    local updated_at, created_at, foreign_updated_at, foreign_created_at = unpack(times)
    since[#since + 1] = updated_at or foreign_updated_at or created_at or foreign_created_at or ''
  end
end
local seconds, microseconds = unpack(redis.call('TIME'))
return { waiting, seconds .. '.' .. string.format('%06d', microseconds), since }
