-- The list of batches, by the time at which each began.

local MOST_BATCHES = 10000

-- Add a new batch to the list, and drop the oldest one if there are too many; at most one more comes per call.
local function note_batch(batches, batch_id)
  write_over('ZADD', batches, 'NX', now, batch_id)
  redis.call('ZREMRANGEBYRANK', batches, 0, -MOST_BATCHES - 1)
end
