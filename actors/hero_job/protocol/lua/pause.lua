-- Pause a queue: lanes find it empty, what is in it and what comes is held aside, in order.
--
-- Guarantee: O(1) in the length of the queue; ids pushed by foreign producers meanwhile are served.
-- Transitions: (none)
-- KEYS[1] hash of paused queues     KEYS[2] the queue
-- Returns 1, or 0 when it was paused already
if redis.call('HSETNX', KEYS[1], KEYS[2], at) == 0 then return 0 end
for _, part in ipairs({ '', ':low' }) do
  local held = KEYS[2] .. ':held' .. part
  if redis.call('EXISTS', KEYS[2] .. part) == 1 then redis.call('RENAME', KEYS[2] .. part, held) end
end
return 1
