"""A third-party actor: takes ids with BLPOP and writes with plain commands, knowing nothing of our scripts."""

from __future__ import annotations

import threading
from typing import Any

import orjson
import redis


class ForeignActor:
    """One actor, in a thread; it runs a job as soon as it `may_finish`.

    Attributes:
        held: Set when it has taken a job.
        may_finish: While this is not set, it keeps the job that it has taken.
    """

    def __init__(self, url: str, namespace: str, script_type: str) -> None:
        self._redis: Any = redis.Redis.from_url(url, decode_responses=True, socket_timeout=None)
        self._namespace = namespace
        self._queue = f"{namespace}:q:work:type:{script_type}"
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="foreign-actor")
        self.held = threading.Event()
        self.may_finish = threading.Event()
        self.may_finish.set()

    def __enter__(self) -> ForeignActor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self.may_finish.set()
        self._thread.join()
        self._redis.close()

    def _run(self) -> None:
        while not self._ended:
            taken = self._redis.blpop([self._queue], timeout=0.1)
            if taken:
                self._run_job(taken[1])

    def _run_job(self, job_id: str) -> None:
        key = f"{self._namespace}:job:{job_id}"
        job = self._redis.hgetall(key)
        self._redis.hset(key, "status", "started")
        self.held.set()
        self.may_finish.wait()
        if job["script"] == "fail":
            outcome = {"status": "error", "error": "it failed", "error_kind": "runtime", "error_at": "2:5"}
        else:
            outcome = {"status": "finished", "output": f"ran {job['script']}"}
        self._redis.hset(key, mapping=outcome)
        reply = {"job_id": job_id, "output": None, "error": None, "error_kind": None, **outcome}
        self._redis.rpush(f"{self._namespace}:q:reply:{job_id}", orjson.dumps(reply))
