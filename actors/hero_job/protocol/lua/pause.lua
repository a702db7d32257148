-- Pause a queue: its ids, and those that are pushed from now on, are held aside in order, so that lanes find it empty.
--
-- Guarantee: O(1) in the length of the queue. Ids that foreign producers push meanwhile are still served.
-- Transitions: (none)
-- KEYS[1] hash of paused queues
-- KEYS[2] the queue
-- Returns 1 paused, 0 it was paused already
local paused, queue = KEYS[1], KEYS[2]
if redis.call('HSETNX', paused, queue, at) == 0 then return 0 end
for _, low in ipairs({ '', LOW }) do
  if redis.call('EXISTS', queue .. low) == 1 then redis.call('RENAME', queue .. low, queue .. HELD .. low) end
end
return 1
