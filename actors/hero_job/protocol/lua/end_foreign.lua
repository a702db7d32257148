-- End a job that an actor of another program has ended, in its hash or by a reply alone.
--
-- Guarantee: the job ends once, with one reply, and everything that waits for it goes on; a job that a lane holds, or
--   that has ended here, is left alone.
-- Transitions: created -> started, dispatched -> started, started -> finished, started -> error, started -> stopped,
--   stopping -> finished, stopping -> error, stopping -> stopped
-- KEYS[1] job hash
-- KEYS[2] reply list
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] job id
-- ARGV[3..7] retention (see ending.lua)
-- ARGV[8] status that it ended as
-- ARGV[9] the reply, for a list that has none
-- ARGV[10..] name, value ... of the fields that say how it ended
-- Returns 1 if the job has ended now
local key, replies = KEYS[1], KEYS[2]
local ns, id, retention, new_status, reply = ARGV[1], ARGV[2], read_retention(3), ARGV[8], ARGV[9]
local status = status_of(key)
-- Every end here sets an expiry, and only a claim by a lane sets the owner.
if not status or redis.call('HEXISTS', key, 'owner') == 1 or redis.call('PTTL', key) >= 0 then return 0 end
local extra, dependents = unpack(redis.call('HMGET', key, 'extra', 'dependents'))
if not is_terminal(status) then
  if status == 'created' or status == 'dispatched' then
    note_event(id, 'started')
  elseif status ~= 'started' and status ~= 'stopping' then
    return 0
  end
  redis.call('HSET', key, 'status', new_status, unpack(ARGV, 10))
  status = new_status
end
redis.call('HSETNX', key, 'finished_at', at)
redis.call('HSET', key, 'updated_at', at)
if not is_adopted(extra) then
  -- Nobody has registered what it asks for. Only those who wait for it matter now.
  contain(adopt_dependents, ns, id, contain(read_ids, 'dependents', dependents) or {})
  extra = '2'
end
local answered = redis.pcall('LLEN', replies)
if type(answered) == 'number' and answered > 0 then reply = nil end
conclude(ns, id, status, reply, retention, has_options(extra))
count_end(key, status, 'foreign')
settle_ended(ns, retention)
write_events(ns, retention)
return 1
