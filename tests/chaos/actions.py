"""The actions of the harness's HeroScript jobs, loaded by `module:tests.chaos.actions`.

Their effect on the world is a line in the witness's file, written by the process of the job. The store cannot show
whether a script that was delivered twice has acted twice, or has acted after its job had ended; this file can.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from hero_engine.heroscript_engine import Context, action
from tests.chaos.witness import HOLDER, WITNESS, Witness

# Opened by the template process, of which the process of each job is a fork: jobs do not see the actor's environment.
_witness = Witness(Path(os.environ[WITNESS]))
_holder = os.environ[HOLDER]


@action("chaos.act")
def act(ctx: Context, value: int, sleep_s: float = 0.0, gate: str = "") -> int:
    """Note the start, wait, note the end, and return the value.

    Args:
        ctx: The running job.
        value: The result.
        sleep_s: How long to wait, in seconds.
        gate: Path of a file; also wait until it exists.
    """
    _witness.note("acting", job=ctx.job_id, pid=os.getpid(), holder=_holder)
    time.sleep(sleep_s)
    while gate and not Path(gate).exists():
        time.sleep(0.005)
    _witness.note("acted", job=ctx.job_id, pid=os.getpid(), holder=_holder)
    return value
