"""The actions of the harness's HeroScript jobs, loaded by `module:tests.chaos.vocabulary`.

What they do to the world is one line in the witness's file, written by the process of the job: the store cannot show
whether a script that was given out twice has acted twice, or after its job had ended; this can.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from hero_engine.heroscript_engine import Context, action
from tests.chaos.witness import WITNESS, Witness

# Opened by the template process, which each job's process is a fork of: a job has no variables but its own.
_witness = Witness(Path(os.environ[WITNESS]))


@action("chaos.act")
def act(ctx: Context, value: int, sleep_s: float = 0.0) -> int:
    """Take some time, note that it begins and that it was done, and give the value back."""
    _witness.note("acting", job=ctx.job_id, pid=os.getpid())
    time.sleep(sleep_s)
    _witness.note("acted", job=ctx.job_id, pid=os.getpid())
    return value
