-- Take the jobs out of a batch that were announced and could not be created.
--
-- Guarantee: called again, after a lost answer or when the whole batch is created again, it changes nothing. A batch that
--   is left without open jobs ends, and wakes those who wait for its end.
-- Transitions: (none)
-- KEYS[1] hash of the batch
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] id of the batch
-- ARGV[3..7] retention (see ending.lua)
-- Returns how many jobs were taken out
local batch, ns, batch_id, retention = KEYS[1], ARGV[1], ARGV[2], read_retention(3)
local left = read_number('left', redis.call('HGET', batch, 'left') or '0')
if left <= 0 then return 0 end
redis.call('HINCRBY', batch, 'total', -left)
redis.call('HINCRBY', batch, 'left', -left)
if redis.call('HINCRBY', batch, 'open', -left) <= 0 then end_batch(ns, batch_id, retention) end
write_events(ns, retention)
return left
