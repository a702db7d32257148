"""When a cron expression ticks, in a zone whose clock is set forward and back twice a year. Pure.

`Schedule.ticks_after` calls it. cronsim parses the expression and walks over plain wall-clock times; what a change of
the clock means is decided here, because cronsim's own walk leaves out times after a change by less than an hour.

Invariants: ticks only rise, so none comes twice; each is later than the time that was asked for; a search ends, because
cronsim gives up after 50 years without a match.

Two rules, as Debian's cron has them:

- **At certain times of the day** (five fields, neither minute nor hour begins with ``*``): once for each such time. One
  that the clock skips comes in the first minute after the gap; one that the clock shows twice comes the first time.
- **Again and again** (all others): at each moment at which the clock shows such a time. So what is skipped has no
  ticks, and an hour that comes twice has its ticks twice.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

#: Within a day, no zone changes its offset and changes it back.
_STEP_S: Final = 86_400
_SECOND: Final = timedelta(seconds=1)
_MONTHS: Final = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS: Final = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
#: The numbers of the names that months and days of the week have.
_NUMBERS: Final = {name: n for names, first in ((_MONTHS, 1), (_DAYS, 0)) for n, name in enumerate(names, first)}
#: A range with a step: its first value, its last value, and the step.
_STEPPED_RANGE: Final = re.compile(r"(?<![\w-])([A-Z]+|[0-9]+)-([A-Z]+|[0-9]+)/[0-9]*[1-9][0-9]*(?![\w/])", re.I | re.A)

#: Days of the month that cronsim spells with the wrong ending.
_ORDINALS: Final = {"21th": "21st", "22th": "22nd", "23th": "23rd", "31th": "31st"}
#: By the word with which cronsim refuses a field: what may be there.
_FIELDS: Final = {
    "Bad second": "the second must be from 0 to 59",
    "Bad minute": "the minute must be from 0 to 59",
    "Bad hour": "the hour must be from 0 to 23",
    "Bad day-of-month": "the day of the month must be from 1 to 31, or L for the last, and be in one of the months",
    "Bad month": "the month must be from 1 to 12, or JAN to DEC",
    "Bad day-of-week": "the day of the week must be from 0 (Sunday) to 7 (Sunday), or SUN to SAT; "
    "a range must rise, so Friday to Sunday is 5-7",
    "Wrong number of fields": "must have five fields: minute, hour, day of the month, month, day of the week; "
    "a sixth before them is the second",
}


def cron_problem(reason: str) -> str:
    """Say what is wrong with a cron expression, and what a right one looks like.

    Args:
        reason: The message of cronsim.
    """
    return f'{_FIELDS.get(reason, reason)}; for example "30 2 * * 1-5" is at 02:30 from Monday to Friday'


def cron_in_words(cron: str) -> str:
    """Say in English when a cron expression ticks, such as "At 02:30 on Monday through Friday".

    Args:
        cron: Five fields, or six with seconds first.

    Raises:
        cronsim.CronSimError: The expression is invalid.
    """
    from cronsim import CronSim

    words = CronSim(_without_idle_steps(cron), datetime(2000, 1, 1)).explain()  # the time has no effect on the words
    return re.sub("|".join(_ORDINALS), lambda found: _ORDINALS[found[0]], words)


def cron_ticks(cron: str, zone: tzinfo, after_s: float) -> Iterator[int]:
    """Iterate over the ticks of a cron expression after a time.

    Args:
        cron: Five fields, or six with seconds first.
        zone: The zone of its times.
        after_s: Seconds since 1970. A tick at exactly this time is not included.

    Yields:
        Ticks, in seconds since 1970, each later than the one before.

    Raises:
        cronsim.CronSimError: The expression is invalid.
    """
    last_s = int(after_s // 1)
    cron = _without_idle_steps(cron)
    fields = cron.split()
    at_times = len(fields) == 5 and not (fields[0].startswith("*") or fields[1].startswith("*"))
    try:
        for tick_s in _at_times(cron, zone, last_s) if at_times else _moments(cron, zone, last_s):
            if tick_s > last_s:
                last_s = tick_s
                yield tick_s
    except (OverflowError, ValueError):  # the year 9999 has ended
        return


def _without_idle_steps(cron: str) -> str:
    """Leave out the step of a range of one value, such as `5-5/10`; cronsim would step on to the end of the field."""

    def plain(found: re.Match[str]) -> str:
        first, last = (_NUMBERS.get(word.upper(), word.lstrip("0") or "0") for word in found.groups())
        return found[1] if str(first) == str(last) else found[0]

    return _STEPPED_RANGE.sub(plain, cron)


def _at_times(cron: str, zone: tzinfo, after_s: int) -> Iterator[int]:
    from cronsim import CronSim

    for local in CronSim(cron, _naive(after_s + _offset_s(zone, after_s))):
        # Source: PEP 495. The first of two times; for one in a gap, the moment at which the old offset would show it.
        tick_s = int(local.replace(tzinfo=zone, fold=0).timestamp())
        in_gap = tick_s + _offset_s(zone, tick_s) != timegm(local.timetuple())
        yield _change(zone, tick_s - _STEP_S, tick_s) if in_gap else tick_s


def _moments(cron: str, zone: tzinfo, after_s: int) -> Iterator[int]:
    from cronsim import CronSim

    start_s, ended = after_s + 1, False
    while not ended:
        offset_s, steady_s, ended = _offset_s(zone, start_s), start_s, True
        for local in CronSim(cron, _naive(start_s + offset_s) - _SECOND):
            tick_s = timegm(local.timetuple()) - offset_s
            while steady_s < tick_s:
                further_s = min(steady_s + _STEP_S, tick_s)
                if _offset_s(zone, further_s) != offset_s:
                    start_s, ended = _change(zone, steady_s, further_s), False
                    break
                steady_s = further_s
            if not ended:
                break
            yield tick_s


def _change(zone: tzinfo, before_s: int, after_s: int) -> int:
    """Find the second at which the offset changes, between two times with different offsets."""
    offset_s = _offset_s(zone, before_s)
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if _offset_s(zone, middle_s) == offset_s:
            before_s = middle_s
        else:
            after_s = middle_s
    return after_s


def _offset_s(zone: tzinfo, at_s: int) -> int:
    offset = datetime.fromtimestamp(at_s, zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _naive(local_s: int) -> datetime:
    return datetime.fromtimestamp(local_s, UTC).replace(tzinfo=None)
