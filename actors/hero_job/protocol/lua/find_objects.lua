-- Read one page of the entries of an index, and the objects that they lead to.
--
-- Guarantee: reads only; the number of entries and of bytes is bounded.
-- Transitions: (none)
-- KEYS[1] index: sorted set of 'field:word sid'
-- KEYS[2] objects: hash of sid -> record
-- KEYS[3] lists of the context
-- ARGV[1] version of the lists, '' if they do not concern the caller
-- ARGV[2] JSON: alternatives, each a list of ranges {entry, whether longer words count}
-- ARGV[3] the alternative to read, from 1; '0' for the one with the fewest entries
-- ARGV[4] the range of it to read, from 1
-- ARGV[5] the last entry of the page before; '' at the start of the range
-- ARGV[6] most entries
-- ARGV[7] most bytes of objects, '0' for no objects
-- Returns {0, alternative, range, whether the range ends here, {entry with sid ...}, {record or '' ...}};
--   {1, lists} the lists have changed
local acl = changed_acl(KEYS[3], ARGV[1])
if acl then return { 1, acl } end
local plan, alternative, place = cjson.decode(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local after, most, bytes = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])

-- The first and the last member of a range: a space, which no word has, goes before the sid.
local function bounds(range)
  if range[2] then return '[' .. range[1], '(' .. range[1] .. '\255' end
  return '[' .. range[1] .. ' ', '(' .. range[1] .. '!'
end

if alternative == 0 then
  local fewest
  for number, ranges in ipairs(plan) do
    local entries = 0
    for _, range in ipairs(ranges) do
      entries = entries + redis.call('ZLEXCOUNT', KEYS[1], bounds(range))
    end
    if not fewest or entries < fewest then alternative, fewest = number, entries end
  end
end
local members, ended
while true do
  local least, last = bounds(plan[alternative][place])
  if after ~= '' then least = '(' .. after end
  members = redis.call('ZRANGEBYLEX', KEYS[1], least, last, 'LIMIT', 0, most)
  ended = #members < most
  if #members > 0 or place >= #plan[alternative] then break end
  place, after = place + 1, ''
end
local records = {}
if bytes > 0 then
  for number, member in ipairs(members) do
    local record = redis.call('HGET', KEYS[2], string.match(member, '[^ ]+$')) or ''
    records[number] = record
    bytes = bytes - #record
    if bytes < 0 and number < #members then
      members, ended = { unpack(members, 1, number) }, false
      break
    end
  end
end
return { 0, alternative, place, ended and 1 or 0, members, records }
