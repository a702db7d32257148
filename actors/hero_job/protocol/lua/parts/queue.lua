-- Queues: which one a job belongs to, and how it gets there. Needs time.

-- The queue of a job, or nil if its script type is missing or unknown.
-- script_type, group, instance: fields of the job's hash; false if missing.
local function queue_of(ns, script_type, group, instance)
  local suffix = script_type and string.lower(script_type)
  if suffix ~= 'osis' and suffix ~= 'sal' and suffix ~= 'v' and suffix ~= 'python' then return nil end
  local queue = ns .. QUEUE .. suffix
  if group and group ~= '' then
    queue = queue .. GROUP .. group
    if instance and instance ~= '' then queue = queue .. INSTANCE .. instance end
  end
  return queue
end

-- Put an id on a queue. A paused queue holds it aside.
-- A job of high priority goes to the front, and so does a job that is handed back. A job of low priority goes to a list
-- that lanes read after the queue. If the queue is empty it goes to the queue itself, on which idle lanes block.
local function enqueue(ns, id, queue, priority, front)
  if redis.pcall('HEXISTS', ns .. PAUSED, queue) == 1 then queue = queue .. HELD end
  if front or priority == 'high' then
    redis.call('LPUSH', queue, id)
  elseif priority == 'low' and redis.call('EXISTS', queue) == 1 then
    redis.call('RPUSH', queue .. LOW, id)
  else
    redis.call('RPUSH', queue, id)
  end
end
