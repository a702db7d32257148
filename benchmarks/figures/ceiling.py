"""Measures the upper limit: how fast the client library moves jobs, 64 per round trip, if nothing runs them.

One script claims and settles 64 jobs: it takes the id, reads the hash, writes the result, pushes the reply, sets its
expiry and clears the claim. Without engine, checks and owner, only the server's work and the client's parsing remain.
"""

from __future__ import annotations

import time
from typing import Any

import redis

BATCH = 64

_MOVE = """
-- KEYS: 1 queue (list of ids), 2 claimed (list of ids).  ARGV: 1 batch, 2 job prefix, 3 reply prefix, 4 reply life, ms
-- Returns: the fields of each job that was moved.
local moved = {}
for i = 1, tonumber(ARGV[1]) do
  local id = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if not id then break end
  local job = ARGV[2] .. id
  local reply = ARGV[3] .. id
  moved[i] = redis.call('HGETALL', job)
  redis.call('HSET', job, 'status', 'finished', 'output', '42', 'finished_at', '2026-01-01T00:00:00.000Z')
  redis.call('RPUSH', reply, '{"job_id":"' .. id .. '","status":"finished","output":"42"}')
  redis.call('PEXPIRE', reply, ARGV[4])
  redis.call('LREM', KEYS[2], 1, id)
end
return moved
"""


def measure_ceiling(client: redis.Redis, jobs: int) -> float:
    """Measure the ceiling.

    Args:
        client: A client of the server, which is emptied.
        jobs: Number of jobs to move.

    Returns:
        Jobs per second.
    """
    client.flushall()
    fields: dict[Any, Any] = {
        "caller_id": "bench",
        "context_id": "bench",
        "script": "40 + 2",
        "script_type": "OSIS",
        "timeout": "30",
        "status": "dispatched",
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z",
    }
    for start in range(0, jobs, 1000):
        pipe = client.pipeline(transaction=False)
        for i in range(start, min(start + 1000, jobs)):
            pipe.hset(f"bench:job:{i:08d}", mapping={"id": f"{i:08d}", **fields})
            pipe.rpush("bench:queue", f"{i:08d}")
        pipe.execute()
    move = client.register_script(_MOVE)
    keys = ["bench:queue", "bench:claimed"]
    move(keys=keys, args=[0, "bench:job:", "bench:reply:", 300_000])  # loads it
    moved = 0
    begin = time.perf_counter()
    while batch := move(keys=keys, args=[BATCH, "bench:job:", "bench:reply:", 300_000]):
        moved += len(batch)
    took = time.perf_counter() - begin
    if moved != jobs:
        raise RuntimeError(f"moved {moved} of {jobs}")
    client.flushall()
    return jobs / took
