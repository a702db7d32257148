-- Resume a paused queue.
--
-- Guarantee: held ids come in their old order, before the ids that foreign producers pushed during the pause.
-- Transitions: (none)
-- KEYS[1] hash of paused queues
-- KEYS[2] the queue
-- Returns 1 resumed, 0 it was not paused
local paused, queue = KEYS[1], KEYS[2]
if redis.call('HDEL', paused, queue) == 0 then return 0 end
for _, low in ipairs({ '', LOW }) do
  local held, target = queue .. HELD .. low, queue .. low
  if redis.call('EXISTS', held) == 1 then
    -- The few ids of foreign producers move behind the held ones, which may be many.
    while redis.call('LMOVE', target, held, 'LEFT', 'RIGHT') do end
    redis.call('RENAME', held, target)
  end
end
return 1
