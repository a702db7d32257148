-- Resume a paused queue.
--
-- Guarantee: held ids come in their old order, before the ids that foreign producers pushed during the pause. The queue
--   stays paused until all are in their place, which may take more than one call.
-- Transitions: (none)
-- KEYS[1] hash of paused queues
-- KEYS[2] the queue
-- Returns 1 resumed, 0 it was not paused, 2 more ids are to be moved by another call
local paused, queue = KEYS[1], KEYS[2]
if redis.call('HEXISTS', paused, queue) == 0 then return 0 end
local budget = 1000
for _, low in ipairs({ '', LOW }) do
  local held, target = queue .. HELD .. low, queue .. low
  if redis.call('EXISTS', held) == 1 then
    -- The ids of foreign producers move behind the held ones.
    while redis.call('LMOVE', target, held, 'LEFT', 'RIGHT') do
      budget = budget - 1
      if budget <= 0 then return 2 end
    end
    redis.call('RENAME', held, target)
  end
end
redis.call('HDEL', paused, queue)
return 1
