-- Join the registry, or refresh the presence of an incarnation in it and add what it has counted to the counters.
--
-- Guarantees: an incarnation that was declared dead does not come back, because a refresh does not join. A report of
--   counts that is sent again counts once.
-- Transitions: (none)
-- KEYS[1] registry
-- KEYS[2] presence hash
-- KEYS[3] event stream of the actors
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] 'join' or 'beat'
-- ARGV[3] incarnation
-- ARGV[4] lease, in ms
-- ARGV[5] description as JSON (join)
-- ARGV[6] number of the report of counts; '' for none
-- ARGV[7] how many fields the report has
-- ARGV[8..] field, how many more ... of the report; then name, value ... of the presence hash
-- Returns 1 alive, 0 declared dead
local registry, presence, actor_events = KEYS[1], KEYS[2], KEYS[3]
local ns, mode, incarnation, lease_ms, description, report, fields = unpack(ARGV, 1, 7)
local first_of_presence = 8 + 2 * tonumber(fields)
if mode == 'join' then
  -- A repeated join, after a lost answer, adds no second event.
  if redis.call('HSET', registry, incarnation, description) == 1 then
    write_over('XADD', actor_events, 'MAXLEN', '~', 1000, '*', 'event', 'joined', 'incarnation', incarnation, 'entry',
      description)
  end
elseif redis.call('HEXISTS', registry, incarnation) == 0 then
  return 0
end
-- A full server refuses a script at its first write that needs memory. This one needs none: it keeps the lease, so that
-- nobody is declared dead because memory is short.
redis.call('PEXPIRE', presence, lease_ms)
write_over('HSET', presence, 'beat_at', at, unpack(ARGV, first_of_presence))
redis.call('PEXPIRE', presence, lease_ms)
if report ~= '' and contain(redis.call, 'HGET', ns .. COUNT_REPORTS, incarnation) ~= report then
  write_over('HSET', ns .. COUNT_REPORTS, incarnation, report)
  for i = 8, first_of_presence - 1, 2 do counted[ARGV[i]] = ARGV[i + 1] end
  write_counts(ns)
end
return 1
