-- Foreign spellings of statuses. The same table as FOREIGN_STATUS in spellings.py; a test compares them.

-- A status in our spelling. An absent or empty one means created; an unknown one is returned in lower case.
local function read_status(text)
  if not text or text == '' then return 'created' end
  local word = string.lower(text)
  local ours = {
    pending = 'created',
    processing = 'started',
    running = 'started',
    completed = 'finished',
    failed = 'error',
    timeout = 'error',
    cancelled = 'stopped',
    waitingforprerequisites = 'waiting_for_prerequisites',
  }
  return ours[word] or word
end

-- The status of the job under a key, or nil if there is no job: the key does not exist, or is not a hash.
local function status_of(key)
  local text = redis.pcall('HGET', key, 'status')
  if type(text) == 'table' or not text and redis.call('EXISTS', key) == 0 then return nil end
  return read_status(text)
end

local function is_terminal(status)
  return status == 'finished' or status == 'error' or status == 'stopped'
end
