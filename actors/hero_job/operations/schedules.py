"""Schedules, which create a job repeatedly by cron or by interval. Pure types, and the operations on them as data.

The client API writes schedules; each supervisor's clock fires them. Invariant: each tick creates its job once, no
matter how many supervisors run. The job's id consists of the schedule's name and the tick, so creating it a second time
changes nothing; and only one supervisor moves the schedule on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from hero_job.model.damaged import DamagedRecord, RecordKind, read_each
from hero_job.model.errors import JobInvalid
from hero_job.model.fields.checks import check_route, check_seconds, check_text
from hero_job.model.fields.limits import MAX_WORD
from hero_job.model.fields.shown_values import shown, type_word
from hero_job.model.fields.spellings import FOREIGN_NAME
from hero_job.model.job import DEFAULT_LIMITS, Job, JobLimits
from hero_job.protocol import lua
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op, pairs

#: Longest cron expression, in characters.
MAX_CRON = 500
#: Most missed ticks of a schedule that are made up for, after a long absence of all supervisors.
MAX_MISSED = 1000
#: How many values the fields of a cron expression have, from seconds to days of the week.
_FIELD_SIZES = (60, 60, 24, 31, 12, 7)
#: A tick that is found later than this, in seconds, counts as missed.
LATE_S = 60.0


class Overlap(StrEnum):
    """What to do if the job of the last tick has not ended yet."""

    SKIP = "skip"
    ALLOW = "allow"


class Missed(StrEnum):
    """What to do about ticks at which no supervisor ran: nothing, one job for all of them, or one job for each."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


_UNITS: Final = {"day": 86_400, "hour": 3600, "minute": 60, "second": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A job that is created repeatedly.

    Attributes:
        name: 1 to 100 letters, digits, '_', '.', '-'.
        job: Fields of the job, without an id; see `Job.from_fields`.
        cron: A cron expression of five fields, or six with seconds first, in `tz`; None with `interval_s`.
        interval_s: Seconds between two ticks, counted from 1970; None with `cron`.
        tz: Time zone of the cron expression, by its IANA name.
        overlap: What to do at a tick while the job of the last tick is open.
        missed: What to do about ticks at which no supervisor ran.

    Raises:
        JobInvalid: A field is invalid; names it.
    """

    name: str
    job: Mapping[str, Any]
    cron: str | None = None
    interval_s: float | None = None
    tz: str = "UTC"
    overlap: Overlap = Overlap.SKIP
    missed: Missed = Missed.ONCE

    def __post_init__(self) -> None:
        check_route("name", self.name)
        if self.cron is not None:
            check_text("cron", self.cron, most=MAX_CRON)
        check_text("tz", self.tz, most=MAX_WORD)
        if not isinstance(self.job, Mapping):
            raise JobInvalid("job", f"must have the fields of a job, not {type_word(self.job)}")
        if (self.cron is None) == (self.interval_s is None):
            raise JobInvalid("cron", "a schedule has either cron or interval_s")
        if self.interval_s is not None:
            check_seconds("interval_s", self.interval_s)
            if self.interval_s < 1:
                # The ids of its jobs have whole seconds, so two ticks in one second would be one job.
                raise JobInvalid("interval_s", f"must be a number of seconds from 1, not {shown(self.interval_s)}")
        try:
            object.__setattr__(self, "overlap", Overlap(self.overlap))
        except ValueError as e:
            raise JobInvalid("overlap", f"must be skip or allow, not {shown(self.overlap)}") from e
        try:
            object.__setattr__(self, "missed", Missed(self.missed))
        except ValueError as e:
            raise JobInvalid("missed", f"must be skip, once or all, not {shown(self.missed)}") from e
        if self.job.keys() & {"id", FOREIGN_NAME["id"]}:
            raise JobInvalid("job", "must have no id: it consists of the schedule's name and the tick")
        self.job_at(0)
        if self.cron is not None:
            _check_steps(self.cron)
        if next(self.ticks_after(0.0), None) is None:
            raise JobInvalid("cron", f"{shown(self.cron)}: there is no such time")

    def job_at(self, tick_ms: int, limits: JobLimits = DEFAULT_LIMITS, again: int = 0) -> Job:
        """Create the job of one tick, without storing it.

        Args:
            tick_ms: The tick, in milliseconds since 1970.
            limits: What the deployment accepts.
            again: For a tick that may come a second time, because the clock was set back: how often it was set.

        Raises:
            JobInvalid: A field of the job is invalid; names it.
        """
        at = datetime.fromtimestamp(tick_ms / 1000, UTC)
        job_id = f"{self.name}@{at:%Y-%m-%dT%H:%M:%S}Z{f'.{again}' if again else ''}"
        return Job.from_fields({**self.job, "id": job_id}, limits)

    def ticks_after(self, after_s: float) -> Iterator[int]:
        """Iterate over the ticks after a time; a cron expression may end, an interval does not.

        Args:
            after_s: Seconds since 1970. A tick at exactly this time is not included.

        Yields:
            Ticks, in milliseconds since 1970.

        Raises:
            JobInvalid: The cron expression or the time zone is invalid.
        """
        if self.interval_s is not None:
            n = int(after_s // self.interval_s)
            while True:
                n += 1
                tick_ms = round(n * self.interval_s * 1000)
                # The division of a tick may fall just short of its number, because neither is exact.
                if tick_ms > after_s * 1000:
                    yield tick_ms
        # Only supervisors and creators of schedules need these.
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        from cronsim import CronSimError

        from hero_job.model.cron_ticks import cron_problem, cron_ticks

        try:
            zone = ZoneInfo(self.tz)
        except (ZoneInfoNotFoundError, ValueError, OSError) as e:
            raise JobInvalid("tz", f"unknown time zone {shown(self.tz)}") from e
        try:
            for tick_s in cron_ticks(self.cron or "", zone, after_s):
                yield tick_s * 1000
        except CronSimError as e:
            raise JobInvalid("cron", f"{shown(self.cron)}: {cron_problem(str(e))}") from e

    def in_words(self) -> str:
        """Say in English when it ticks, such as "At 02:30 on Monday through Friday" or "Every 5 minutes"."""
        if self.interval_s is None:
            from hero_job.model.cron_ticks import cron_in_words

            return cron_in_words(self.cron or "")
        for unit, seconds in _UNITS.items():
            count = self.interval_s / seconds
            if count >= 1 and count.is_integer():
                return f"Every {unit}" if count == 1 else f"Every {count:g} {unit}s"
        return f"Every {self.interval_s:g} seconds"

    def due(self, tick_ms: int, now_ms: int) -> tuple[list[int], int | None]:
        """Decide which ticks get a job now.

        Args:
            tick_ms: The first tick that has not been handled, in milliseconds since 1970.
            now_ms: The store's time, in milliseconds since 1970.

        Returns:
            The ticks to create jobs for, in order, and the next tick to wait for; None if there are no more ticks.
        """
        passed = [tick_ms]
        following: int | None = None
        for tick in self.ticks_after(tick_ms / 1000):
            if tick > now_ms:
                following = tick
                break
            if len(passed) == MAX_MISSED:
                following = next(self.ticks_after(now_ms / 1000), None)
                break
            passed.append(tick)
        match self.missed:
            case Missed.ALL:
                return passed, following
            case Missed.ONCE:
                return passed[-1:], following
            case Missed.SKIP:
                return [t for t in passed[-1:] if now_ms - t <= LATE_S * 1000], following


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSchedule:
    """A schedule whose tick has come.

    Attributes:
        schedule: The schedule.
        tick_ms: The tick.
        last_job_id: Id of the last tick's job; None before the first.
    """

    schedule: Schedule
    tick_ms: int
    last_job_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The schedules that are due.

    Attributes:
        now_ms: The store's time, in milliseconds since 1970.
        next_s: In how many seconds the next tick comes; None if no schedule has one.
        schedules: Those whose tick has come.
        damaged: Those whose tick has come and that cannot be read, for example because a newer version wrote them, or
            because this host does not know their time zone. Another host may be able to fire them.
    """

    now_ms: int
    next_s: float | None
    schedules: tuple[DueSchedule, ...]
    damaged: tuple[DamagedRecord, ...] = ()


class Schedules:
    """Builds the operations on the schedules of one namespace.

    Args:
        namespace: Prefix of all keys.
    """

    __slots__ = ("_definitions", "_ticks")

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        keys = Keys(namespace)
        self._definitions = keys.schedules
        self._ticks = keys.ticks

    def put(self, schedule: Schedule, first_ms: int) -> Op[None]:
        """Create a schedule, or replace the one of the same name.

        Args:
            schedule: The schedule.
            first_ms: Its first tick, in milliseconds since 1970.
        """
        args = (self._ticks, self._definitions, schedule.name, orjson.dumps(asdict(schedule)), first_ms)
        return Op(args, lambda _: None, lua.PUT_SCHEDULE, 2)

    def delete(self, name: str) -> Op[bool]:
        """Delete a schedule; its jobs stay. False if there is none of this name."""
        return Op([self._ticks, self._definitions, name], bool, lua.DELETE_SCHEDULE, 2)

    def next_tick(self, name: str) -> Op[int | None]:
        """Read the next tick of a schedule, in milliseconds since 1970; None while it is paused, or has no more."""
        return Op(("ZSCORE", self._ticks, name), lambda answer: None if answer is None else int(float(answer)))

    def next_ticks(self, names: Sequence[str]) -> Op[Sequence[int | None]]:
        """Read the next ticks of schedules, as `next_tick` does, in the order of the names; there must be one."""

        def decode(answer: Any) -> Sequence[int | None]:
            return tuple(None if tick is None else int(float(tick)) for tick in answer)

        return Op(("ZMSCORE", self._ticks, *names), decode)

    def last_job(self, name: str) -> Op[str | None]:
        """Read the id of the last job that a schedule has created; None if there is none."""
        return Op(("HGET", self._definitions, f"{name} last"), lambda answer: None if answer is None else str(answer))

    def last_jobs(self, names: Sequence[str]) -> Op[Sequence[str | None]]:
        """Read the ids of the last jobs, as `last_job` does, in the order of the names; there must be one."""

        def decode(answer: Any) -> Sequence[str | None]:
            return tuple(None if job_id is None else str(job_id) for job_id in answer)

        return Op(("HMGET", self._definitions, *(f"{name} last" for name in names)), decode)

    def get(self, name: str) -> Op[Schedule | None]:
        """Read a schedule; None if there is none of this name, or if this host cannot read it."""

        def decode(answer: Any) -> Schedule | None:
            if answer is None:
                return None
            found, _ = read_each(RecordKind.SCHEDULE, [(name, str(answer))], _decode)
            return found[0] if found else None

        return Op(("HGET", self._definitions, name), decode)

    def pause(self, name: str) -> Op[bool]:
        """Let a schedule create no jobs; `resume`, or putting it again, ends that. False if it was paused already.

        A supervisor that is handling its tick at this moment does not put it back: `tick.lua` moves only a schedule
        that is still at that tick.
        """
        return Op(("ZREM", self._ticks, name), bool)

    def resume(self, name: str, first_ms: int) -> Op[bool]:
        """Let a paused schedule create jobs again. False if it was not paused.

        The definition is not written, so a schedule that somebody replaces meanwhile keeps what they gave it. The tick
        of one that is deleted meanwhile is dropped by `ticks.lua`.

        Args:
            name: The schedule.
            first_ms: Its next tick, in milliseconds since 1970.
        """
        return Op(("ZADD", self._ticks, "NX", first_ms, name), bool)

    def list(self) -> Op[list[Schedule]]:
        """List the schedules that can be read, by name."""
        return Op(("HGETALL", self._definitions), lambda answer: _decode_all(answer)[0])

    def damaged(self) -> Op[Sequence[DamagedRecord]]:
        """List the schedules that cannot be read, by name; `list` leaves them out."""
        return Op(("HGETALL", self._definitions), lambda answer: _decode_all(answer)[1])

    def due(self, most: int = 100, skip: int = 0) -> Op[Due]:
        """Find the schedules whose tick has come.

        Args:
            most: Most schedules to return.
            skip: How many of the first ones to leave out: those that an earlier look has left where they are.
        """

        def read(_name: str, row: Sequence[Any]) -> DueSchedule:
            name, tick, text, last = row
            return DueSchedule(schedule=_decode(name, text), tick_ms=int(float(tick)), last_job_id=last)

        def decode(answer: Sequence[Any]) -> Due:
            found, damaged = read_each(RecordKind.SCHEDULE, ((row[0], row) for row in answer[2]), read)
            next_s = None if answer[1] < 0 else answer[1] / 1000
            return Due(now_ms=answer[0], next_s=next_s, schedules=tuple(found), damaged=tuple(damaged))

        return Op([self._ticks, self._definitions, most, skip], decode, lua.TICKS, 2)

    def move_on(self, name: str, tick_ms: int, next_ms: int | None, last_job_id: str | None) -> Op[bool]:
        """Move a schedule on to its next tick, after the jobs of this one were created.

        Args:
            name: The schedule.
            tick_ms: The tick that was handled, in milliseconds since 1970.
            next_ms: The next tick, in milliseconds since 1970; None if there are no more.
            last_job_id: Id of the last job that was created; None if there was none.

        Returns:
            False if another supervisor has done so, or the schedule was changed.
        """
        args: list[Any] = [self._ticks, self._definitions, name, tick_ms]
        args += ("" if next_ms is None else next_ms, last_job_id or "")
        return Op(args, bool, lua.TICK, 2)


def _check_steps(cron: str) -> None:
    """Refuse a step that its field cannot hold: `*/90` minutes would be every hour."""
    fields = cron.split()
    for field, size in zip(fields, _FIELD_SIZES[-len(fields) :], strict=False):
        for step in re.findall(r"/(\d+)", field):
            if int(step) >= size:
                raise JobInvalid("cron", f"{shown(cron)}: the step {step} is larger than its field; use interval_s")


def _decode(name: str, text: str) -> Schedule:
    schedule = Schedule(**orjson.loads(text))
    if schedule.name != name:
        raise JobInvalid("name", f"is {shown(schedule.name)}")
    return schedule


def _decode_all(answer: Any) -> tuple[list[Schedule], list[DamagedRecord]]:
    # A name contains no space; "name last" holds the id of the last job.
    rows = [(name, text) for name, text in sorted(pairs(answer).items()) if " " not in name]
    return read_each(RecordKind.SCHEDULE, rows, _decode)
