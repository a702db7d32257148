-- Read objects by their sids.
--
-- Guarantee: reads only; one answer has at most the given number of bytes and one object more.
-- Transitions: (none)
-- KEYS[1] objects: hash of sid -> record
-- KEYS[2] lists of the context
-- ARGV[1] version of the lists, '' if they do not concern the caller
-- ARGV[2] most bytes
-- ARGV[3 ...] sids
-- Returns {0, {record or '' ...}}, shorter than the sids if the bytes were too many; {1, lists} the lists have changed
local acl = changed_acl(KEYS[2], ARGV[1])
if acl then return { 1, acl } end
local records, left = {}, tonumber(ARGV[2])
for place = 3, #ARGV do
  local record = redis.call('HGET', KEYS[1], ARGV[place]) or ''
  records[#records + 1] = record
  left = left - #record
  if left < 0 then break end
end
return { 0, records }
