-- Store a new job; with ARGV[3] = '1' also put it on its queue.
--
-- Guarantee: the same id with the same content is created once, however often it is sent; other content is refused.
-- Transitions: (none) -> created, (none) -> dispatched, created -> dispatched
-- KEYS[1] job hash      KEYS[2] queue of the job
-- ARGV[1] namespace prefix, with its colon     ARGV[2] job id     ARGV[3] '1': start it too
-- ARGV[4..] name, value, name, value ... of the fields that never change
-- Returns {0} created (or there already, alike), {1, field} another job has this id, {2, status} cannot be started
local key = KEYS[1]
local status = redis.pcall('HGET', key, 'status')
local exists = status
if type(status) == 'table' then return { 1, '' } end -- the key is no hash
if not exists then exists = redis.call('EXISTS', key) == 1 end
local start = ARGV[3] == '1'

if exists then
  for i = 4, #ARGV, 2 do
    if redis.call('HGET', key, ARGV[i]) ~= ARGV[i + 1] then return { 1, ARGV[i] } end
  end
  -- Fields that this request leaves out must be absent there too.
  local optional = { 'log_path', 'group', 'instance' }
  local given = {}
  for i = 4, #ARGV, 2 do given[ARGV[i]] = true end
  for _, name in ipairs(optional) do
    if not given[name] and redis.call('HEXISTS', key, name) == 1 then return { 1, name } end
  end
  if not start or status ~= 'created' then return { 0 } end
end

local at = iso(now_ms())
if exists then
  redis.call('HSET', key, 'status', 'dispatched', 'updated_at', at)
else
  redis.call('HSET', key, 'status', start and 'dispatched' or 'created', 'created_at', at, 'updated_at', at,
    unpack(ARGV, 4))
end
if start then redis.call('RPUSH', KEYS[2], ARGV[2]) end
return { 0 }
