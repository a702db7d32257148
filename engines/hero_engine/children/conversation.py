"""The engine's side of one job: sends the job to a child process and listens to it until it ends or is killed.

The child sends messages (`wire`) over a socket: log records, questions, its result. What it prints comes through a
pipe. Where it is in the script it notes in memory (`place`), which is read when it has died. The template process
reports the child's exit over a second socket. One `poll` waits for all of them, so that the deadline and a cancellation
are kept.
"""

from __future__ import annotations

import os
import select
import time
from typing import Any

from hero_engine.children import wire
from hero_engine.children.place import clear_place, read_place
from hero_engine.children.pool import JobChild
from hero_engine.children.requests import ChildRequests
from hero_engine.engine import Done, Failed, Outcome, RunLog, Stopped, TimedOut
from hero_engine.process_run import CRASHED, ProcessRun, signal_name

#: Less than what makes the allocator map memory for each read.
_READ_BYTES = 64 * 1024
#: A longer line is cut into several.
_MAX_LINE_BYTES = 64 * 1024
#: How long to wait for the end of a killed child, in seconds. Only a process that hangs in the kernel takes longer.
_KILL_WAIT_S = 5.0
#: How much of the time of the actor's interpreter the messages and output of one child may take, after a first burst in
#: seconds. What a child sends beyond that waits in its socket and its pipe, and so does the child when they are full.
_SHARE = 0.1
_BURST_S = 0.05


class Conversation:
    """The conversation with one child about one job.

    Args:
        child: The child, which waits for a job.
        log: Receives what the script prints; None to discard it.
        requests: Answers the script's questions.
        result_bytes: Size of the largest result, in bytes.

    Attributes:
        began: The child has received the whole job. The kernel tells: a socket that is closed with something unread
            in it resets the connection. Source: Linux net/unix/af_unix.c, unix_release_sock.
        orphaned: The template has ended, and the child with it: the script is not to blame.
        clean: The job has ended and left nothing behind, so the child can run another.
    """

    def __init__(self, child: JobChild, log: RunLog | None, requests: ChildRequests, result_bytes: int) -> None:
        self._child = child
        self._requests = requests
        self._log = log
        self._reader = wire.MessageReader(result_bytes)
        self._printed = bytearray()
        self._outcome: Outcome | None = None
        self.began = True
        self.orphaned = False
        self._heard = False
        self.clean = False

    def hold(self, request: bytes, deadline_mono: float, timeout_s: float, handle: ProcessRun) -> Outcome:
        """Send the job and listen until it has ended.

        Args:
            request: The job, framed.
            deadline_mono: When to kill the child, on the clock of `time.monotonic`.
            timeout_s: The job's timeout, for the outcome.
            handle: Tells whether the run was cancelled.

        Returns:
            How the job ended.
        """
        child = self._child
        clear_place(child.place)
        job_fd, life_fd = child.job.fileno(), child.life.fileno()
        unsent = self._send(memoryview(request))
        poll = select.poll()
        poll.register(child.output, select.POLLIN)
        poll.register(life_fd, select.POLLIN)
        only_life = select.poll()
        only_life.register(life_fd, select.POLLIN)
        listening = True
        began_mono, spent_s = time.monotonic(), 0.0
        while self._outcome is None:
            wait_s = deadline_mono - time.monotonic()
            if wait_s <= 0:
                self._kill()
                return self._out_of_time(timeout_s)
            if listening:
                poll.register(job_fd, select.POLLIN | select.POLLOUT if unsent else select.POLLIN)
            answer_fd = self._requests.fd
            if answer_fd is not None:
                # While the child has not taken what is there, no more of the answer is read.
                poll.register(answer_fd, 0 if unsent else select.POLLIN)
            # One millisecond more, because a poll that ends a fraction too early would be repeated in a busy loop.
            over_s = spent_s - _BURST_S - _SHARE * (time.monotonic() - began_mono)
            if over_s > 0 and only_life.poll(min(wait_s, over_s / _SHARE) * 1000 + 1) == []:
                spent_s = _BURST_S + _SHARE * (time.monotonic() - began_mono)
                continue
            events = dict(poll.poll(wait_s * 1000 + 1))
            woke_mono = time.monotonic()
            if child.output in events and not self._read_output():
                poll.unregister(child.output)
            if job_fd in events:
                if unsent and events[job_fd] & select.POLLOUT:
                    unsent = self._send(unsent)
                if events[job_fd] & ~select.POLLOUT and not self._read_messages():
                    # The child has closed this socket. Its exit is reported on the other one.
                    poll.unregister(job_fd)
                    listening = False
            if answer_fd in events and not unsent:
                unsent = self._send(memoryview(self._requests.read()))
            if life_fd in events and self._outcome is None:
                if unsent:
                    self.began = self._heard
                return self._after_exit(handle)
            spent_s += time.monotonic() - woke_mono
        self._finish_output()
        if isinstance(self._outcome, Failed) and time.monotonic() >= deadline_mono:
            # A program, or a wait, that was given all the time that is left fails in the moment of the deadline.
            return self._out_of_time(timeout_s)
        return self._outcome

    def _out_of_time(self, timeout_s: float) -> TimedOut:
        where, _ = self._where()
        if where:
            self._say("warning", f"the time was up{where}")
        return TimedOut(timeout_s)

    def _after_exit(self, handle: ProcessRun) -> Outcome:
        """The child has ended: read its last messages, or make an outcome of its exit status."""
        status = self._child.life.recv(4)
        while self._read_messages():
            pass
        self._finish_output()
        if self._outcome is not None:
            return self._outcome
        if handle.cancelled:
            return Stopped()
        where, line = self._where()
        if len(status) < 4:
            self.orphaned = True
            return Failed("engine_failed", f"the engine's template process ended{where}")
        code = int.from_bytes(status, signed=True)
        if code >= wire.NO_CHILD:
            self.began = False
            reason = os.strerror(code - wire.NO_CHILD)
            return Failed("engine_failed", f"no process can be made for the script: {reason}")
        return Failed(CRASHED, f"the script's process {_describe_exit(code)}{where}", line or None)

    def _send(self, data: memoryview) -> memoryview:
        """Send what the child takes, and return the rest."""
        try:
            while data:
                data = data[self._child.job.send(data) :]
        except BlockingIOError:
            pass
        except OSError:
            self.began = self._heard
            return data[:0]  # the child has ended, which the other socket reports
        return data

    def _kill(self) -> None:
        self._child.kill()
        poll = select.poll()
        poll.register(self._child.life, select.POLLIN)
        poll.poll(_KILL_WAIT_S * 1000)
        self._finish_output()

    def _read_messages(self) -> bool:
        """Read what has arrived. Returns False at the end, or if nothing has arrived."""
        try:
            data = self._child.job.recv(_READ_BYTES)
        except ConnectionResetError:
            self.began = self._heard
            return False
        except OSError:
            return False
        self._heard = self._heard or bool(data)
        try:
            for message in self._reader.feed(data):
                self._receive(message)
        except wire.MessageTooLong as e:
            self._outcome = Failed("result_too_large", f"the script's process sends {e}")
        except (ValueError, TypeError, IndexError) as e:
            self._outcome = Failed(CRASHED, f"the script's process sends a malformed message: {e}")
        return bool(data) and self._outcome is None

    def _receive(self, message: list[Any]) -> None:
        kind = message[0]
        if kind == "log":
            # The text that was printed before this record goes to the log before it.
            self._read_output()
            self._say(message[1], message[2])
        elif kind == "progress":
            if self._log is not None:
                self._log.progress(*message[1:4])
        elif kind == "done":
            self._end(message, Done(message[2], message[3]))
        elif kind == "failed":
            self._end(message, Failed(*message[2:7]))
        elif kind == "timed_out":
            self._end(message, TimedOut(message[2]))
        elif kind == "stopped":
            self._end(message, Stopped())
        elif kind == "ask" and not self._requests.ask(message[1], message[2]):
            self._outcome = Failed(CRASHED, "the script's process asks again before it has an answer")

    def _end(self, message: list[Any], outcome: Outcome) -> None:
        self.clean = message[1] is True
        self._outcome = outcome

    def _read_output(self) -> bool:
        """Read some of what was printed. Returns False at the end."""
        try:
            data = os.read(self._child.output, _READ_BYTES)
        except BlockingIOError:
            return True
        if self._log is None:
            return bool(data)
        self._printed += data
        end = self._printed.rfind(b"\n")
        if end < 0 and len(self._printed) > _MAX_LINE_BYTES:
            end = len(self._printed)
        if end >= 0:
            self._say("info", self._printed[:end].decode(errors="backslashreplace"))
            del self._printed[: end + 1]
        return bool(data)

    def _finish_output(self) -> None:
        # All of it is in the pipe by now, which usually holds 64 KiB, and 1 MiB at most.
        poll = select.poll()
        poll.register(self._child.output, select.POLLIN)
        for _ in range(16):
            if not poll.poll(0) or not self._read_output():
                break
        if self._printed:
            self._say("info", self._printed.decode(errors="backslashreplace"))
            self._printed.clear()

    def _say(self, level: str, text: str) -> None:
        if self._log is not None:
            self._log.line(level, text)

    def _where(self) -> tuple[str, int]:
        """Where the script was, as a part of a sentence; and the line. "" and 0 if it had not begun."""
        action, line = read_place(self._child.place)
        return (f" in {action} (line {line})" if action else "", line)


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal_name(-code)
    reason = {"SIGKILL": ": killed, by the kernel if memory ran out", "SIGXCPU": ": its processor time was used up"}
    return f"was ended by signal {name}{reason.get(name, '')}"
