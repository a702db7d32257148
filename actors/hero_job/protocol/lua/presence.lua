-- Join the registry, or refresh the presence of an incarnation in it.
--
-- Guarantee: an incarnation that was declared dead does not come back, because a refresh does not join.
-- Transitions: (none)
-- KEYS[1] registry
-- KEYS[2] presence hash
-- KEYS[3] event stream of the actors
-- ARGV[1] 'join' or 'beat'
-- ARGV[2] incarnation
-- ARGV[3] lease, in ms
-- ARGV[4] description as JSON (join)
-- ARGV[5..] name, value ... of the presence hash
-- Returns 1 alive, 0 declared dead
local registry, presence, actor_events = KEYS[1], KEYS[2], KEYS[3]
local mode, incarnation, lease_ms, description = unpack(ARGV, 1, 4)
if mode == 'join' then
  -- A repeated join, after a lost answer, adds no second event.
  if redis.call('HSET', registry, incarnation, description) == 1 then
    redis.call('XADD', actor_events, 'MAXLEN', '~', 1000, '*', 'event', 'joined', 'incarnation', incarnation, 'entry',
      description)
  end
elseif redis.call('HEXISTS', registry, incarnation) == 0 then
  return 0
end
-- A full server refuses a script at its first write that needs memory. This one needs none: it keeps the lease, so that
-- nobody is declared dead because memory is short.
redis.call('PEXPIRE', presence, lease_ms)
write_over('HSET', presence, 'beat_at', at, unpack(ARGV, 5))
redis.call('PEXPIRE', presence, lease_ms)
return 1
