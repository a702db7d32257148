"""Pages of jobs as lists and searches return them. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from hero_job.model.views import BatchStatus, JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """A job of a list.

    Attributes:
        record: The job.
        place: Its place among the ids that wait in its queue, from 1; None if it is in no queue.
        since_ms: When it comes due, if it is delayed; since when it is blocked; when it moved, if an event has
            shown it. In milliseconds since 1970; None if the list does not say.
        lane: The lane that has claimed it, as incarnation/lane; None if no lane has.
    """

    record: JobRecord
    place: int | None = None
    since_ms: int | None = None
    lane: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of a list of jobs.

    Attributes:
        jobs: In the order of the list.
        damaged: Ids whose keys cannot be read as jobs, each with the reason; only if the list has no filter.
        cursor: Pass it to the next call; "" after the last page. A page may be empty although more follow.
        looked_at: How many jobs were looked at.
        walked_to: Back to which time the moves of jobs have been looked at, ISO 8601; "" if the list is no history.
    """

    jobs: tuple[ListedJob, ...]
    damaged: tuple[tuple[str, str], ...]
    cursor: str
    looked_at: int
    walked_to: str = ""

    @property
    def records(self) -> tuple[JobRecord, ...]:
        """The jobs alone."""
        return tuple(listed.record for listed in self.jobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """One page of a search through all keys of the store.

    Attributes:
        records: The jobs that were found, in no particular order; a page may repeat one of an earlier page.
        damaged: Ids whose keys cannot be read as jobs, each with the reason; only if the search has no filter.
        cursor: Pass it to the next call; "" at the end of the search.
        walked: How many keys the search has looked at so far.
        total: How many keys the server has now.
    """

    records: tuple[JobRecord, ...]
    damaged: tuple[tuple[str, str], ...]
    cursor: str
    walked: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedBatch:
    """A batch of the list.

    Attributes:
        status: How many of its jobs have ended, and how.
        began_ms: When it was announced, or when the first job named it, in milliseconds since 1970.
        caller_id: The caller that it belongs to; None if it belongs to none.
    """

    status: BatchStatus
    began_ms: int
    caller_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPage:
    """One page of the list of batches.

    Attributes:
        batches: The newest first. Those that have expired are left out, so a page may be empty although more follow.
        damaged: Ids of batches whose counts cannot be read, each with the reason.
        cursor: Pass it to the next call; "" after the last page.
    """

    batches: tuple[ListedBatch, ...]
    damaged: tuple[tuple[str, str], ...]
    cursor: str
