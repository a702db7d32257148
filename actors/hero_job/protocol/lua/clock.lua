-- Notice that the server's clock was set, and keep what waits for a time in step with it.
--
-- A clock that was set back would delay everything that waits by as much. Delays keep their length: their due times move
-- back with the clock. Times that a submitter has named (`not_before`) stay, and so does what was set before the clock
-- went wrong by being set forward. The leases of actors keep their length too.
--
-- The server looks at its clock some time after the caller asked, and the caller knows only the bounds of that time. A step
-- back is certain if the server's clock moved less than the least time that has passed. A step forward is certain if it
-- moved more than the most, which the caller knows only after the answer; so it is recorded by the caller's next look.
--
-- Guarantees: a step is recorded once, by the first supervisor that is certain; each entry is moved once, by pages, no
--   matter which supervisor goes on. No delay of a question or an answer looks like a step.
-- Transitions: (none)
-- KEYS[1] hash of the clock: at, steps, step_ms, step_at, backs, behind_until, rescheduled, ahead_ms, ahead_since, and
--   while entries are yet to be moved: move_ms, move_less_ms, move_since, leases_ms, leases_cursor
-- KEYS[2] sorted set of delayed jobs, KEYS[3] those of it that are yet to be moved
-- KEYS[4] sorted set of expiring jobs, KEYS[5] those of it that are yet to be moved
-- KEYS[6] registry
-- ARGV[1] namespace prefix, with its colon
-- ARGV[2] the server's time at the caller's last look, in ms; '' at the first
-- ARGV[3] least ms of a clock that is never set since then; '' at the first
-- ARGV[4] how many steps were recorded at that look; '' at the first
-- ARGV[5] smallest difference that counts as a step, in ms
-- ARGV[6] most entries to move, of each kind
-- ARGV[7] by how many ms the clock was set forward before the caller's last look; 0 if it was not
-- Returns {now, steps, ms of the step if this call has recorded it or 0, steps back, latest time that was seen before a step
--   back, steps back after which the schedules were moved, entries yet to be moved, time of anybody's last look or 0}
local clock, registry = KEYS[1], KEYS[6]
local ns, seen, least, known, tolerance, most, forward = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4],
  tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local last, steps, backs, behind_until, rescheduled, ahead, ahead_since = unpack(redis.call('HMGET', clock, 'at', 'steps',
  'backs', 'behind_until', 'rescheduled', 'ahead_ms', 'ahead_since'))
last, ahead, ahead_since = tonumber(last) or 0, tonumber(ahead) or 0, tonumber(ahead_since) or 0
steps, backs, behind_until = steps or '0', tonumber(backs) or 0, tonumber(behind_until) or 0

-- A caller that does not know the last step has looked at another clock.
if known ~= steps then forward = 0 end
local back = 0
if seen and known == steps then
  back = seen + least - now
elseif not seen then
  back = last - now
end
if back < tolerance then back = 0 end

-- Leases have the server's time in them. One page of the registry; returns whether it was the last one. A presence that
-- has beaten since the step has a lease of the new time; one that is on two pages has the number of the step.
local function shorten_leases(by, step_at)
  local cursor = redis.call('HGET', clock, 'leases_cursor') or '0'
  local scan = contain(redis.call, 'HSCAN', registry, cursor, 'COUNT', most)
  for i = 1, scan and #scan[2] or 0, 2 do
    local presence = ns .. PRESENCE .. scan[2][i]
    local left = redis.call('PTTL', presence)
    if left > by then
      local beat_at, shortened = unpack(contain(redis.call, 'HMGET', presence, 'beat_at', 'clock_step') or {})
      if shortened ~= steps and not (beat_at and step_at <= beat_at and beat_at < at) then
        write_over('HSET', presence, 'clock_step', steps)
        redis.call('PEXPIRE', presence, left - by)
      end
    end
  end
  if not scan or scan[1] == '0' then
    redis.call('HDEL', clock, 'leases_ms', 'leases_cursor')
    return true
  end
  redis.call('HSET', clock, 'leases_cursor', scan[1])
  return false
end

local function record(step)
  steps = tostring(tonumber(steps) + 1)
  redis.call('HSET', clock, 'steps', steps, 'step_ms', step, 'step_at', at)
end

if forward > 0 then
  record(forward)
  if ahead == 0 then ahead_since = seen - forward end
  ahead = ahead + forward
  redis.call('HSET', clock, 'ahead_ms', ahead, 'ahead_since', ahead_since)
end
if back > 0 then
  record(-back)
  backs, behind_until = backs + 1, math.max(behind_until, now + back)
  redis.call('HSET', clock, 'backs', backs, 'behind_until', behind_until, 'ahead_ms', math.max(0, ahead - back))
  redis.call('HINCRBY', clock, 'move_ms', back)
  redis.call('HSET', clock, 'move_less_ms', math.min(ahead, back), 'move_since', ahead_since)
  for i = 2, 4, 2 do
    -- Entries of an earlier step that are still there move by both.
    if redis.call('EXISTS', KEYS[i]) == 1 and redis.call('EXISTS', KEYS[i + 1]) == 0 then
      redis.call('RENAME', KEYS[i], KEYS[i + 1])
    end
  end
  redis.call('HDEL', clock, 'leases_cursor')
  redis.call('HSET', clock, 'leases_ms', back)
end
redis.call('HSET', clock, 'at', now)

local move, less, since = unpack(redis.call('HMGET', clock, 'move_ms', 'move_less_ms', 'move_since'))
local function moved(due, updated_at)
  local ok, set_at = pcall(read_time, 'updated_at', updated_at or '')
  return due - (ok and set_at < tonumber(since) and move - less or move)
end

local left = 0
local shorten_ms, step_at = unpack(redis.call('HMGET', clock, 'leases_ms', 'step_at'))
if shorten_ms and not shorten_leases(tonumber(shorten_ms), step_at) then left = 1 end
if move then
  local delayed = redis.call('ZPOPMIN', KEYS[3], most)
  for i = 1, #delayed, 2 do
    local id, due = delayed[i], tonumber(delayed[i + 1])
    local fields = contain(redis.call, 'HMGET', ns .. JOB .. id, 'status', 'updated_at', 'due_ms') or {}
    if read_status(fields[1]) == 'scheduled' then
      redis.call('ZADD', KEYS[2], tonumber(fields[3]) == due and due or moved(due, fields[2]), id)
    end
  end
  local expiring = redis.call('ZPOPMIN', KEYS[5], most)
  for i = 1, #expiring, 2 do
    local id, key = expiring[i], ns .. JOB .. expiring[i]
    local fields = contain(redis.call, 'HMGET', key, 'status', 'updated_at') or {}
    local status = read_status(fields[1])
    if status == 'dispatched' or status == 'scheduled' or status == 'waiting_for_prerequisites' then
      local expires = moved(tonumber(expiring[i + 1]), fields[2])
      redis.call('HSET', key, 'expires_ms', expires)
      redis.call('ZADD', KEYS[4], expires, id)
    end
  end
  local entries = redis.call('ZCARD', KEYS[3]) + redis.call('ZCARD', KEYS[5])
  left = left + entries
  if entries == 0 then redis.call('HDEL', clock, 'move_ms', 'move_less_ms', 'move_since') end
end
return { now, tonumber(steps), back > 0 and -back or forward, backs, behind_until, tonumber(rescheduled) or 0, left, last }
