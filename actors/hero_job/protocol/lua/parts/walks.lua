-- Walks through lists of ids that begin where the last page ended. Needs nothing.
--
-- A walk calls visit(id, position, extra, status, ms) for each id, with the position after it, until visit returns true.
-- It looks at a bounded number of ids, and returns true if the list has no more.

-- A stream of events, from its end. A position is 'ms-number', behind that entry, or 'ms-number+n', behind n of its jobs.
local function walk_events(key, position, visit)
  local last, taken = string.match(position, '^(%d+%-%d+)%+?(%d*)$')
  local inside = last and taken ~= ''
  local most = 20
  local entries = redis.pcall('XREVRANGE', key, last and (inside and last or '(' .. last) or '+', '-', 'COUNT', most)
  if entries.err then return true end
  for _, entry in ipairs(entries) do
    local id, fields = entry[1], entry[2]
    local ms = tonumber(string.match(id, '^%d+'))
    local skipped = inside and id == last and tonumber(taken) or 0
    for i = #fields - 1 - 2 * skipped, 1, -2 do
      local after = i > 1 and id .. '+' .. (#fields - i + 1) / 2 or id
      if visit(fields[i], after, tostring(ms), fields[i + 1], ms) then return false end
    end
  end
  return #entries < most
end

-- A list, from its head or its tail. A position is 'n id', behind the n-th id. The list moves between two pages, so the
-- id is looked for where it may be now. `extra` is the place of the id, from 1 at the head.
local function walk_list(key, position, from_tail, visit)
  local most, window = 100, 1000
  local length = redis.pcall('LLEN', key)
  if type(length) == 'table' then return true end
  local taken, anchor = string.match(position, '^(%d+) (.*)$')
  taken = tonumber(taken) or 0
  if anchor then
    -- From the head ids leave, so it is nearer to it now; at the tail ids come, so it is further from it.
    local first = from_tail and math.max(0, length - taken - window) or math.max(0, taken - 1 - window)
    local final = from_tail and length - taken or taken - 1
    local near = final >= 0 and redis.call('LRANGE', key, first, final) or {}
    for i = #near, 1, -1 do
      if near[i] == anchor then
        taken = from_tail and length - (first + i - 1) or first + i
        break
      end
    end
  end
  local ids
  if from_tail then
    ids = length > taken and redis.call('LRANGE', key, math.max(0, length - taken - most), length - taken - 1) or {}
  else
    ids = redis.call('LRANGE', key, taken, taken + most - 1)
  end
  for n = 1, #ids do
    local id = from_tail and ids[#ids - n + 1] or ids[n]
    local place = from_tail and length - taken - n + 1 or taken + n
    if visit(id, (taken + n) .. ' ' .. id, tostring(place)) then return false end
  end
  return #ids < most
end

-- A sorted set, from the lowest or the highest score. A position is 'score member'. `extra` is the score.
local function walk_scores(key, position, descending, visit)
  local most, rank = 100, 0
  local score, member = string.match(position, '^(%S+) (.*)$')
  if member then
    rank = redis.pcall(descending and 'ZREVRANK' or 'ZRANK', key, member)
    if type(rank) == 'number' then
      rank = rank + 1
    elseif descending then
      rank = redis.pcall('ZCOUNT', key, '(' .. score, '+inf')
    else
      rank = redis.pcall('ZCOUNT', key, '-inf', '(' .. score)
    end
    if type(rank) ~= 'number' then return true end
  end
  local rows = redis.pcall(descending and 'ZREVRANGE' or 'ZRANGE', key, rank, rank + most - 1, 'WITHSCORES')
  if rows.err then return true end
  for i = 1, #rows, 2 do
    if visit(rows[i], rows[i + 1] .. ' ' .. rows[i], rows[i + 1]) then return false end
  end
  return #rows < 2 * most
end

-- The claimed lists of all registered actors, as one list. A position is 'cursor lane n incarnation': the page of the
-- registry, and in it the actor and behind how many ids of which lane. `extra` is the lane: incarnation/lane.
-- Returns as well the position to go on with, if that is behind what it has visited.
local function walk_claimed(key, ns, position, visit)
  local MAX_LANES, MAX_LISTS, most = 1024 + 32, 500, 100
  local cursor, lane, number, name = string.match(position, '^(%d+) (%d+) (%d+) (.*)$')
  cursor, lane, number = cursor or '0', tonumber(lane) or 0, tonumber(number) or 0
  local lists, ids = 0, 0
  while true do
    local scan = redis.pcall('HSCAN', key, cursor, 'COUNT', 20)
    if scan.err then return true end
    local entries, names = {}, {}
    for i = 1, #scan[2], 2 do
      if not entries[scan[2][i]] then names[#names + 1] = scan[2][i] end
      entries[scan[2][i]] = scan[2][i + 1]
    end
    -- A page that is read again may have them in another order.
    table.sort(names)
    for _, incarnation in ipairs(names) do
      if not name or incarnation >= name then
        if incarnation ~= name then lane, number = 0, 0 end
        local ok, entry = pcall(cjson.decode, entries[incarnation])
        entry = ok and type(entry) == 'table' and entry or {}
        local lanes = math.min((tonumber(entry.lanes) or 1) + (tonumber(entry.spare_lanes) or 0), MAX_LANES)
        while lane < lanes do
          if lists >= MAX_LISTS or ids >= 1000 then
            return false, cursor .. ' ' .. lane .. ' ' .. number .. ' ' .. incarnation
          end
          local claimed = redis.pcall('LRANGE', ns .. CLAIMED .. incarnation .. ':' .. lane, number, number + most - 1)
          if claimed.err then claimed = {} end
          lists, ids = lists + 1, ids + #claimed
          for _, id in ipairs(claimed) do
            number = number + 1
            local after = cursor .. ' ' .. lane .. ' ' .. number .. ' ' .. incarnation
            if visit(id, after, incarnation .. '/' .. lane) then return false end
          end
          if #claimed < most then lane, number = lane + 1, 0 end
        end
      end
    end
    cursor, name = scan[1], nil
    if cursor == '0' then return true end
    lists = lists + 1
  end
end
