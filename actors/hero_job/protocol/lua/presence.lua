-- Join the registry, or refresh presence in it.
--
-- Guarantee: an incarnation that was declared dead does not come back: a refresh does not join.
-- Transitions: (none)
-- KEYS[1] registry     KEYS[2] presence hash     KEYS[3] the actors' event stream
-- ARGV[1] 'join' or 'beat'     ARGV[2] incarnation     ARGV[3] lease, ms     ARGV[4] JSON of what it is (join)
-- ARGV[5..] name, value ... of the presence hash
-- Returns 1 alive, 0 declared dead
if ARGV[1] == 'join' then
  -- Joined once, however often it is said: the first answer may have been lost.
  if redis.call('HSET', KEYS[1], ARGV[2], ARGV[4]) == 1 then
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', 1000, '*', 'event', 'joined', 'incarnation', ARGV[2], 'entry', ARGV[4])
  end
elseif redis.call('HEXISTS', KEYS[1], ARGV[2]) == 0 then
  return 0
end
-- First, since a full server refuses a script at its first write that needs memory: this one needs none, so the lease is
-- kept and nobody is declared dead for want of memory.
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[2], 'beat_at', at, unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
