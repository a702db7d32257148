-- Add to the actors' stream what a supervisor has observed about an actor.
--
-- Guarantee: an entry that is sent again, after a lost answer, is written once while the stream still has it.
-- Transitions: (none)
-- KEYS[1] event stream of the actors
-- ARGV[1] number of entries to keep
-- ARGV[2] token of the entry
-- ARGV[3] '1' if it may have been written already
-- ARGV[4..] name, value ... of its fields
-- Returns 1 written, 0 it was there
local stream, most, token, again = KEYS[1], ARGV[1], ARGV[2], ARGV[3] == '1'
for _, entry in ipairs(again and redis.pcall('XREVRANGE', stream, '+', '-', 'COUNT', most) or {}) do
  local fields = entry[2]
  for i = 1, #fields, 2 do
    if fields[i] == 'token' and fields[i + 1] == token then return 0 end
  end
end
write_over('XADD', stream, 'MAXLEN', '~', most, '*', 'token', token, unpack(ARGV, 4))
return 1
