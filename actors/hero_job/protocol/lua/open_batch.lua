-- Announce a batch before its jobs are created.
--
-- Guarantee: the same batch announced again, after a lost answer, changes nothing.
-- Transitions: (none)
-- KEYS[1] hash of the batch
-- ARGV[1] how many jobs it has
-- Returns 1, or 0 when there is a batch with this id and another number of jobs
local batch, count = KEYS[1], ARGV[1]
local asked = redis.call('HGET', batch, 'asked')
if asked then return asked == count and 1 or 0 end
redis.call('HSET', batch, 'asked', count, 'total', count, 'open', count)
return 1
