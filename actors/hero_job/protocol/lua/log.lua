-- Add to a job's log, and note its progress, while it runs.
--
-- Guarantee: only the owner with the same attempt writes; the log keeps its newest lines.
-- Transitions: (none)
-- KEYS[1] job hash     KEYS[2] log stream
-- ARGV[1] owner: incarnation/lane     ARGV[2] attempt     ARGV[3] lines kept     ARGV[4] time to live, ms
-- ARGV[5] JSON of the progress, '' for none     ARGV[6..] level, text ...
-- Returns 1 written, 0 not the owner's any more
local v = redis.pcall('HMGET', KEYS[1], 'owner', 'attempt')
if v.err or v[1] ~= ARGV[1] or v[2] ~= ARGV[2] then return 0 end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'progress', ARGV[5]) end
for i = 6, #ARGV, 2 do
  redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[3], '*', 'level', ARGV[i], 'text', ARGV[i + 1])
end
if #ARGV >= 6 then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
return 1
