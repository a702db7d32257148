"""`SupervisorBuilder`: where the deployment's Redis is, and what the deployment accepts.

Source: the names of the Rust system's SupervisorBuilder.
"""

from __future__ import annotations

from typing import Self

from hero_client.async_supervisor import AsyncSupervisor
from hero_client.supervisor import Supervisor
from hero_job.client.store import Store
from hero_job.model.job import DEFAULT_LIMITS, JobLimits
from hero_job.model.retention import DEFAULT_RETENTION, Retention
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import DEFAULT_NAMESPACE


class SupervisorBuilder:
    """Builds a `Supervisor` or an `AsyncSupervisor`; every setter returns the builder."""

    def __init__(self) -> None:
        self._url = "redis://127.0.0.1:6379/"
        self._namespace = DEFAULT_NAMESPACE
        self._limits = DEFAULT_LIMITS
        self._retention = DEFAULT_RETENTION

    def redis_url(self, url: str) -> Self:
        """Set where Redis is.

        Args:
            url: `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`; by default
                `redis://127.0.0.1:6379/`.
        """
        self._url = url
        return self

    def namespace(self, name: str) -> Self:
        """Set the prefix of all keys.

        Args:
            name: By default "hero"; in braces, "{hero}", it keeps a deployment in one Cluster slot.
        """
        self._namespace = name
        return self

    def limits(self, limits: JobLimits) -> Self:
        """Set what the deployment accepts, if it differs from the default.

        Args:
            limits: Largest script, longest timeout and the like.
        """
        self._limits = limits
        return self

    def retention(self, retention: Retention) -> Self:
        """Set how long the deployment keeps jobs that have ended, if it differs from the default.

        Args:
            retention: Times to live, in seconds.
        """
        self._retention = retention
        return self

    def build(self) -> Supervisor:
        """Make the synchronous client. It connects with its first call.

        Raises:
            StoreUrlInvalid: The URL cannot be used.
            JobInvalid: The namespace is empty or contains white space.
        """
        operations = Operations(self._namespace, self._retention)
        return Supervisor(Store(self._url, name="hero-client"), operations, self._limits)

    def build_async(self) -> AsyncSupervisor:
        """Make the asyncio client. It connects with its first call.

        Raises:
            StoreUrlInvalid: The URL cannot be used.
            JobInvalid: The namespace is empty or contains white space.
        """
        # redis-py takes a tenth of a second to import, which synchronous programs need not wait for.
        from hero_job.client.async_store import AsyncStore

        return AsyncSupervisor(AsyncStore(self._url), Operations(self._namespace, self._retention), self._limits)
