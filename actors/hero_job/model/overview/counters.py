"""What a deployment counts about its jobs, and how the counts are written down. Pure.

Actors and the scripts of the store count; `hero_job.operations.overview.history` reads. docs/redis.md has the fields.
Invariant: the number of different fields is bounded, no matter what kinds of errors engines and scripts make up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

#: Upper bounds of the buckets of waiting and running times, in seconds; one more bucket has no bound.
#: Source: the advisory bounds of OpenTelemetry for durations, continued.
BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
BUCKETS: Final = len(BOUNDS_S) + 1

#: Counted under this name: an error of a kind that is not among `KINDS`.
OTHER: Final = "other"
_RUNTIME: Final = (
    "timeout stopped expired lost damaged prerequisite_failed crashed interrupted foreign exited out_of_memory "
    "child_failed engine_unavailable engine_failed engine_defect result_too_large result_not_presentable "
    "function_failed v_failed"
)
_HEROSCRIPT: Final = "unknown_action no_actions action_failed syntax param missing json resp select left load error"
#: What Rhai calls errors in the text of a script. Source: https://docs.rs/rhai/latest/rhai/enum.ParseErrorType.html
_RHAI_SYNTAX: Final = (
    "UnexpectedEOF BadInput UnknownOperator MissingToken MissingSymbol MalformedCallExpr MalformedIndexExpr "
    "MalformedInExpr MalformedCapture DuplicatedProperty DuplicatedSwitchCase DuplicatedVariable "
    "WrongSwitchIntegerCase WrongSwitchDefaultCase WrongSwitchCaseCondition PropertyExpected VariableExpected "
    "ForbiddenVariable Reserved MismatchedType ExprExpected WrongDocComment WrongFnDefinition FnDuplicatedDefinition "
    "FnMissingName FnMissingParams FnDuplicatedParam FnMissingBody WrongExport AssignmentToConstant "
    "AssignmentToInvalidLHS VariableExists VariableUndefined ModuleUndefined ExprTooDeep TooManyFunctions "
    "LiteralTooLarge LoopBreak"
)
#: What Rhai calls errors of a run. Source: https://docs.rs/rhai/latest/rhai/enum.EvalAltResult.html
_RHAI: Final = (
    "System Parsing VariableExists ForbiddenVariable VariableNotFound PropertyNotFound IndexNotFound FunctionNotFound "
    "ModuleNotFound InFunctionCall InModule UnboundThis MismatchDataType MismatchOutputType IndexingType ArrayBounds "
    "StringBounds BitFieldBounds For DataRace NonPureMethodCallOnConstant AssignmentToConstant DotExpr Arithmetic "
    "TooManyOperations TooManyVariables TooManyModules StackOverflow DataTooLarge Terminated CustomSyntax Runtime"
)
#: The kinds of errors that are counted apart from each other.
KINDS: Final = frozenset(
    [
        *_RUNTIME.split(),
        *_HEROSCRIPT.split(),
        *_RHAI_SYNTAX.split(),
        *(f"Error{name}" for name in _RHAI.split()),
    ]
)


@dataclass(slots=True, eq=False)
class Durations:
    """How long something took, as a histogram.

    Attributes:
        buckets: How many were in each bucket of `BOUNDS_S`, and above.
        sum_us: All of them, in microseconds.
    """

    buckets: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    sum_us: int = 0

    def quantile_s(self, share: float) -> float | None:
        """Estimate below which time a share of all is, in seconds; None if there are none.

        Within a bucket they are taken to be spread evenly. What is above the last bound counts as that bound.

        Args:
            share: From 0 to 1.
        """
        rank = share * sum(self.buckets)
        if not rank:
            return None
        below_s = 0.0
        for bound_s, count in zip(BOUNDS_S, self.buckets[:-1], strict=True):
            if count >= rank:
                return below_s + (bound_s - below_s) * rank / count
            rank -= count
            below_s = bound_s
        return below_s


@dataclass(slots=True, eq=False, kw_only=True)
class JobCounts:
    """What was counted about the jobs of one script type, in all or in one period.

    Attributes:
        started: Runs that began.
        finished: Jobs that finished.
        stopped: Jobs that were stopped.
        errors: Jobs that ended in error, by kind.
        retries: Failed runs that are to be repeated.
        redeliveries: Jobs that run again because their actor or process ended.
        wait: How long jobs waited from the time when they might run until they were claimed.
        run: How long runs took.
    """

    started: int = 0
    finished: int = 0
    stopped: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    retries: int = 0
    redeliveries: int = 0
    wait: Durations = field(default_factory=Durations)
    run: Durations = field(default_factory=Durations)

    @property
    def failed(self) -> int:
        """Jobs that ended in error."""
        return sum(self.errors.values())

    @property
    def lost(self) -> int:
        """Jobs that ended because each process that ran them ended."""
        return self.errors.get("lost", 0)

    @property
    def counted(self) -> bool:
        """Whether anything was counted."""
        return bool(self.started or self.finished or self.stopped or self.errors or self.retries or self.redeliveries)

    def add(self, what: str, more: int) -> None:
        """Add to one counter.

        Args:
            what: The counter, without the script type; one that this version does not know is left out.
            more: How many.
        """
        name, part = _parts(what)
        if part is None:
            setattr(self, name, getattr(self, name) + more)
        elif name == "error":
            self.errors[str(part)] = self.errors.get(str(part), 0) + more
        elif name:
            taken = self.wait if name == "wait" else self.run
            if part == _SUM:
                taken.sum_us += more
            else:
                taken.buckets[int(part)] += more


_PLAIN: Final = frozenset({"started", "finished", "stopped", "retries", "redeliveries"})
#: In place of a bucket: the sum.
_SUM: Final = -1


@lru_cache(maxsize=1024)  # a history has the same few names in each of a thousand periods
def _parts(what: str) -> tuple[str, str | int | None]:
    """Read the name of a counter: its attribute, and within that the kind of error or the bucket; "" if unknown."""
    name, _, part = what.partition(":")
    if name in _PLAIN and not part:
        return name, None
    if name == "error":
        return name, part
    if what in {"wait_us", "run_us"}:
        return what.removesuffix("_us"), _SUM
    if name in {"wait", "run"} and part.isdecimal() and int(part) < BUCKETS:
        return name, int(part)
    return "", ""


def add_up(periods: Iterable[JobCounts]) -> JobCounts:
    """Add up the counts of several periods."""
    total = JobCounts()
    for one in periods:
        for name in _PLAIN:
            total.add(name, getattr(one, name))
        for kind, count in one.errors.items():
            total.add(f"error:{kind}", count)
        for mine, more in ((total.wait, one.wait), (total.run, one.run)):
            mine.sum_us += more.sum_us
            mine.buckets = [a + b for a, b in zip(mine.buckets, more.buckets, strict=True)]
    return total


def add_fields(counts: dict[str, JobCounts], fields: Mapping[str, str]) -> None:
    """Add the fields of a hash of counters.

    Args:
        counts: Script type in lower case -> its counts; types are added as they come.
        fields: As they are in the store. What is no number was written by somebody else, and is left out.
    """
    for name, text in fields.items():
        script_type, _, what = name.partition(":")
        try:
            more = int(text)
        except ValueError:
            continue
        of_type = counts.get(script_type)
        if of_type is None:
            of_type = counts[script_type] = JobCounts()
        of_type.add(what, more)
