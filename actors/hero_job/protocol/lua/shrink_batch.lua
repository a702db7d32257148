-- Take jobs out of a batch that could not be created.
--
-- Guarantee: a batch that is left without open jobs ends, and wakes those who wait for its end.
-- Transitions: (none)
-- KEYS[1] hash of the batch
-- KEYS[2] its reply list
-- ARGV[1] how many jobs to take out
-- Returns nothing
local batch, reply, count = KEYS[1], KEYS[2], ARGV[1]
if redis.call('EXISTS', batch) == 0 then return end
redis.call('HINCRBY', batch, 'total', -count)
redis.call('HINCRBY', batch, 'left', -count)
if redis.call('HINCRBY', batch, 'open', -count) <= 0 then redis.call('RPUSH', reply, 'ended') end
