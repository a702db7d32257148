"""The forked process that runs jobs: receives a job from the engine, runs it, sends the result, and waits for the next.

All messages go through one socket, so they arrive in order; printed text goes through a pipe. The process never returns
to the template's code: every path ends in `os._exit`.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import sys
import threading
import traceback
from typing import assert_never

from hero_engine.children.channel import ParentChannel, cut
from hero_engine.children.program import ChildJob, ChildProgram
from hero_engine.children.settings import ChildSettings
from hero_engine.engine import Done, Failed, Outcome, Stopped, TimedOut
from hero_engine.output import bounded
from hero_process.tree import adopt_orphans, die_with


def serve(
    sock: socket.socket, program: ChildProgram, settings: ChildSettings, template_pid: int, channel: ParentChannel
) -> None:
    """Run jobs until there are no more, or one leaves something behind. Does not return.

    Args:
        sock: Socket to the engine.
        program: Runs the scripts.
        settings: Limits of this process.
        template_pid: The parent. The kernel kills this process if the parent dies.
        channel: The one that `ChildProgram.prepare` was given. It knows the child's `place` already.
    """
    code = 70
    try:
        # A session and group of its own, so that it can be killed together with everything that it starts.
        os.setsid()
        adopt_orphans()
        die_with(template_pid)
        channel.socket = sock
        gc.enable()
        settings.limit_child()
        for left in reversed(range(settings.jobs_per_child)):
            request = channel.receive()
            if request is None or not _serve_one(request, program, settings, channel, last=left == 0):
                break
        code = 0
    except BaseException:  # noqa: BLE001  printed to the job's log; the exit code goes to its error
        traceback.print_exc()
    finally:
        os._exit(code)


def _serve_one(
    request: bytes, program: ChildProgram, settings: ChildSettings, channel: ParentChannel, *, last: bool
) -> bool:
    """Run one job. Returns whether this process can run another: it is not the last, and left nothing behind."""
    job = ChildJob.unpack(request)
    outcome: Outcome
    ended_well = True
    try:
        settings.limit_job()
        outcome = bounded(program.run(job, channel), job.limits.result_bytes)
    except SystemExit as e:
        outcome, ended_well = Failed("exited", f"the script ended its process by sys.exit({e.code!r})"), False
    except MemoryError:
        outcome, ended_well = Failed("out_of_memory", "the script needs more memory than its process may have"), False
    except BaseException as e:  # noqa: BLE001  KeyboardInterrupt, our own defect, a limit that cannot be set
        outcome, ended_well = Failed("child_failed", f"{type(e).__name__}: {e}"), False
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    clean = (
        not last
        and ended_well
        and program.is_clean(job, outcome)
        and threading.active_count() == 1
        and not _has_children()
    )
    match outcome:
        case Done():
            channel.send("done", clean, outcome.output, outcome.output_json)
        case Failed(kind, message, line, column, permanent):
            channel.send("failed", clean, kind, cut(message), line, column, permanent)
        case TimedOut(after_s):
            channel.send("timed_out", clean, after_s)
        case Stopped():
            channel.send("stopped", clean)
        case _:
            assert_never(outcome)
    return clean


def _has_children() -> bool:
    """Whether this process has any child, also an adopted one, that runs or has ended."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
