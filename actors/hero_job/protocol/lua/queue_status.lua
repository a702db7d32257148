-- Count the ids that wait in a queue, and tell since when it is paused.
--
-- Guarantee: reads only; O(1) in the length of the queue.
-- Transitions: (none)
-- KEYS[1] hash of paused queues
-- KEYS[2] the queue
-- Returns {how many ids wait, since when it is paused (nil: it is not)}
local paused, queue = KEYS[1], KEYS[2]
local waiting = 0
for _, suffix in ipairs({ '', LOW, HELD, HELD .. LOW }) do
  waiting = waiting + redis.call('LLEN', queue .. suffix)
end
return { waiting, redis.call('HGET', paused, queue) }
