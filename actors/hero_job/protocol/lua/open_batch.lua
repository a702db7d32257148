-- Announce a batch before its jobs are created.
--
-- Guarantee: the same batch announced again, after a lost answer, changes nothing.
-- Transitions: (none)
-- KEYS[1] hash of the batch
-- KEYS[2] sorted set of batches
-- ARGV[1] how many jobs it has
-- ARGV[2] the caller that it belongs to; '' for none
-- ARGV[3] id of the batch
-- Returns 1, or 0 when there is a batch with this id and another number of jobs or another caller
local batch, count, caller, batch_id = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local asked = redis.call('HGET', batch, 'asked')
if asked then return asked == count and (redis.call('HGET', batch, 'caller_id') or '') == caller and 1 or 0 end
-- Without a number of jobs it is the count of jobs that name a batch which nobody has announced.
if caller ~= '' and redis.call('EXISTS', batch) == 1 then return 0 end
-- `left` counts the announced jobs that are yet to be created. A year, for a batch whose creator dies before that.
redis.call('HSET', batch, 'asked', count, 'total', count, 'open', count, 'left', count)
redis.call('PEXPIRE', batch, 366 * 86400000)
if caller ~= '' then redis.call('HSET', batch, 'caller_id', caller) end
note_batch(KEYS[2], batch_id)
return 1
