-- Checks of the rights and the version of an object, and its entries in the index.
-- Transitions: (none)

-- Returns the lists of a context if they are not those by which the caller decided; nil if they are.
-- `version` is '' for those whom no list concerns.
local function changed_acl(key, version)
  if version == '' then return nil end
  local acl = redis.call('GET', key) or '0 {}'
  if (string.match(acl, '^%d+') or '0') == version then return nil end
  return acl
end

-- What has more digits is damaged, and counts as none.
local function version_of(record)
  local digits = record and string.match(record, '^%d+')
  return digits and #digits <= 15 and digits or '0'
end

-- Add or remove entries of an object. `first` and `last` are the places of the entries in `entries`.
local function index(command, key, sid, entries, first, last)
  for start = first, last, 1000 do
    local members = {}
    for place = start, math.min(start + 999, last) do
      if command == 'ZADD' then members[#members + 1] = 0 end
      members[#members + 1] = entries[place] .. ' ' .. sid
    end
    redis.call(command, key, unpack(members))
  end
end
