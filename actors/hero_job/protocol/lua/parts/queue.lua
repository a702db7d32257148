-- Queues: which one a job belongs to, and how it gets there. Needs time.

-- The queue of a job, or nil when its script type is unknown.
-- script_type, group, instance: fields of the job's hash, false where missing.
local function queue_of(ns, script_type, group, instance)
  local suffix = script_type and string.lower(script_type)
  if suffix ~= 'osis' and suffix ~= 'sal' and suffix ~= 'v' and suffix ~= 'python' then return nil end
  local queue = ns .. 'q:work:type:' .. suffix
  if group and group ~= '' then
    queue = queue .. ':group:' .. group
    if instance and instance ~= '' then queue = queue .. ':inst:' .. instance end
  end
  return queue
end

-- Put an id on a queue; a paused queue holds it aside.
-- High goes to the front, as does what is handed back. Low goes to a list that lanes look at after the queue; with
-- nothing to let pass it goes to the queue itself, on which idle lanes block.
local function enqueue(ns, id, queue, priority, front)
  if redis.call('HEXISTS', ns .. 'meta:paused', queue) == 1 then queue = queue .. ':held' end
  if front or priority == 'high' then
    redis.call('LPUSH', queue, id)
  elseif priority == 'low' and redis.call('EXISTS', queue) == 1 then
    redis.call('RPUSH', queue .. ':low', id)
  else
    redis.call('RPUSH', queue, id)
  end
end
