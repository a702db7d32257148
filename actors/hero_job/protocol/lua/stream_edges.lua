-- Read the ids of the first and the last entry of a stream.
--
-- Guarantee: reads only; both ids are of the same moment.
-- Transitions: (none)
-- KEYS[1] the stream
-- Returns {first id, last id}, or {} when the stream is empty
local stream = KEYS[1]
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
return first and { first[1], last[1] } or {}
