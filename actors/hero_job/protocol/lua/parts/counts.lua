-- The counters of the deployment, in all, by minute and by hour. Needs time, damage, queue.

-- What this call counts: field -> how many more.
local counted = {}

local function count_one(script_type, what)
  local suffix = string.lower(script_type or '')
  local field = (queue_of('', suffix) and suffix or 'unknown') .. ':' .. what
  counted[field] = (counted[field] or 0) + 1
end

-- Write what this call has counted. A counter that cannot be read stops nothing else.
local function write_counts(ns)
  if not next(counted) then return end
  local minute, hour = (now - now % 60000) / 1000, (now - now % 3600000) / 1000
  local of_minute, of_hour = ns .. COUNTS_MINUTE .. minute, ns .. COUNTS_HOUR .. hour
  for field, more in pairs(counted) do
    contain(write_over, 'HINCRBY', ns .. COUNTS, field, more)
    contain(write_over, 'HINCRBY', of_minute, field, more)
    contain(write_over, 'HINCRBY', of_hour, field, more)
  end
  redis.call('EXPIRE', of_minute, 25 * 3600)
  redis.call('EXPIRE', of_hour, 31 * 86400)
  counted = {}
end
