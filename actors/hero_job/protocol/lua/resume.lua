-- Resume a queue.
--
-- Guarantee: what was held comes before what foreign producers pushed meanwhile, in its old order.
-- Transitions: (none)
-- KEYS[1] hash of paused queues     KEYS[2] the queue
-- Returns 1, or 0 when it was not paused
if redis.call('HDEL', KEYS[1], KEYS[2]) == 0 then return 0 end
for _, part in ipairs({ '', ':low' }) do
  local held, queue = KEYS[2] .. ':held' .. part, KEYS[2] .. part
  if redis.call('EXISTS', held) == 1 then
    -- The few of foreign producers go behind the held, which may be many.
    while redis.call('LMOVE', queue, held, 'LEFT', 'RIGHT') do end
    redis.call('RENAME', held, queue)
  end
end
return 1
