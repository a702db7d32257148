-- The list of batches, by the time at which each began.

local MOST_BATCHES = 10000
local MOST_DROPPED = 100

-- Add a new batch to the list, and drop the oldest if there are too many: one more comes per call, and a few go, in
-- case that another program has added some.
local function note_batch(batches, batch_id)
  write_over('ZADD', batches, 'NX', now, batch_id)
  local excess = math.min(redis.call('ZCARD', batches) - MOST_BATCHES, MOST_DROPPED)
  if excess > 0 then redis.call('ZREMRANGEBYRANK', batches, 0, excess - 1) end
end
