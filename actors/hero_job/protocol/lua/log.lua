-- Add lines to the log of a running job, and store its progress.
--
-- Guarantee: only the owner with the current attempt writes; the log keeps its newest lines.
-- Transitions: (none)
-- KEYS[1] job hash
-- KEYS[2] log stream
-- ARGV[1] owner: incarnation/lane
-- ARGV[2] attempt
-- ARGV[3] number of lines to keep
-- ARGV[4] time to live, in ms
-- ARGV[5] progress as JSON, '' for none
-- ARGV[6..] level, text ...
-- Returns 1 written, 0 the job belongs to another owner or attempt
local me, my_attempt, max_lines, ttl_ms, progress = unpack(ARGV, 1, 5)
local hash = redis.pcall('HMGET', KEYS[1], 'owner', 'attempt')
if hash.err then return 0 end
local owner, attempt = unpack(hash)
if owner ~= me or attempt ~= my_attempt then return 0 end
if progress ~= '' then redis.call('HSET', KEYS[1], 'progress', progress) end
for i = 6, #ARGV, 2 do
  local level, text = ARGV[i], ARGV[i + 1]
  write_over('XADD', KEYS[2], 'MAXLEN', max_lines, '*', 'level', level, 'text', text)
end
if #ARGV >= 6 then redis.call('PEXPIRE', KEYS[2], ttl_ms) end
return 1
