-- Read one page of jobs from lists of their ids, one list after the other.
--
-- Guarantee: reads only, and looks at a bounded number of jobs. What cannot be read is on the page with the reason.
-- Transitions: (none)
-- KEYS[1] and all others: the lists
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] JSON: the wanted jobs; see selection.lua
-- ARGV[3] most jobs of the page
-- ARGV[4] most jobs to look at
-- ARGV[5] most bytes of the page; one job may exceed them
-- ARGV[6] number of the list to go on with, from 1
-- ARGV[7] position in it, '' for its beginning; see walks.lua
-- ARGV[8] time (ISO 8601) back to which the events have been walked; '' if they have not. Lists behind the events leave
--   out the jobs that have moved since, because an event has shown them.
-- ARGV[9..] how each list is walked: events, head, tail, rising, falling, claimed
-- Returns {number of the list to go on with, position in it, the time of ARGV[8], jobs looked at, {{id, extra, {name,
--   value ...} or the reason why it cannot be read, number of its list} ...}}
local ns, wanted, count, most_looks, most_bytes = ARGV[1], cjson.decode(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]),
  tonumber(ARGV[5])
local number, position, walked_to = tonumber(ARGV[6]), ARGV[7], ARGV[8]
local FIRST_WALK = 9
-- To skip an event by its status alone costs a fraction of a look.
local looks, skips, most_skips, seen = 0, 0, 2 * most_looks, {}
local moved_ms, moved_at
local first_ms = tonumber(string.match(position, '^(%d+)%-'))

-- Has an event shown a job of a later list? Only the ms in which the walk over the events ended is in doubt, because what
-- is trimmed from the stream may end within it.
local function was_shown(id, key)
  if redis.call('HGET', key, 'updated_at') ~= walked_to then return false end
  local first = redis.pcall('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
  local first_ms = not first.err and first[1] and string.match(first[1][1], '^%d+')
  if not first_ms or iso(tonumber(first_ms)) ~= walked_to then return true end
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], first_ms, first_ms, 'COUNT', 1000)) do
    for i = 1, #entry[2], 2 do
      if entry[2][i] == id then return true end
    end
  end
  return false
end

local function visit(id, after, extra, status, ms)
  position = after
  if ms and ms ~= moved_ms then
    moved_ms, moved_at = ms, iso(ms)
    walked_to = moved_at
  end
  skips = skips + 1
  if seen[id] or ms and (wanted.status and status ~= wanted.status or string.sub(id, 1, #BATCH) == BATCH) then
    return skips > most_skips
  end
  looks = looks + 1
  local key = ns .. JOB .. id
  local moved, unmoved_since = ms and { status, moved_at, ms == first_ms }, not ms and walked_to ~= '' and walked_to or nil
  local answer = may_be_wanted(wanted, id, key, moved, unmoved_since)
  if answer and not (unmoved_since and was_shown(id, key)) then
    seen[id] = true
    add_found(id, key, extra, answer ~= true and answer or nil)
    found[#found][4] = number
  end
  return #found >= count or looks >= most_looks or found_bytes >= most_bytes
end

local walks = {
  events = function(key) return walk_events(key, position, visit) end,
  head = function(key) return walk_list(key, position, false, visit) end,
  tail = function(key) return walk_list(key, position, true, visit) end,
  rising = function(key) return walk_scores(key, position, false, visit) end,
  falling = function(key) return walk_scores(key, position, true, visit) end,
  claimed = function(key) return walk_claimed(key, ns, position, visit) end,
}
while number <= #KEYS do
  local before = skips
  local is_end, moved_to = walks[ARGV[FIRST_WALK + number - 1]](KEYS[number])
  if is_end then
    number = number + 1
    position = ''
  end
  position = moved_to or position
  if #found >= count or looks >= most_looks or found_bytes >= most_bytes or skips > most_skips then break end
  if moved_to or not is_end and skips == before then break end -- it has moved on, but found nothing to look at
end
return { number, position, walked_to, looks, found }
