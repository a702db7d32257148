"""`SupervisorBuilder`: where the deployment's Redis or supervisor is, and what the deployment accepts.

Source: the names of the Rust system's SupervisorBuilder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self, cast
from urllib.parse import urlsplit

from hero_job.model.job import DEFAULT_LIMITS, JobLimits
from hero_job.model.retention import DEFAULT_RETENTION, Retention
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from hero_client.async_supervisor import AsyncSupervisor
    from hero_client.remote.server import RemoteServer
    from hero_client.supervisor import Supervisor

#: Of a supervisor; all others are of a store.
_SERVER_SCHEMES: Final = frozenset({"unix", "http", "https", "ws", "wss"})


class SupervisorBuilder:
    """Builds a `Supervisor` or an `AsyncSupervisor`; every setter returns the builder."""

    def __init__(self) -> None:
        self._url = "redis://127.0.0.1:6379/"
        self._server_url = ""
        self._token = ""
        self._tls_files: dict[str, str] = {}
        self._patience_s = 60.0
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
        self._server_url = ""
        return self

    def url(self, url: str) -> Self:
        """Set where the deployment is: its store, or one of its supervisors, which needs no access to the store.

        Args:
            url: Of a supervisor: `unix:///run/hero/hero.ipc`, `https://host:8443`, `wss://host:8443`, or the same
                without TLS. Any other is that of a store; see `redis_url`, which also takes the socket of a store.
        """
        if urlsplit(url).scheme not in _SERVER_SCHEMES:
            return self.redis_url(url)
        self._server_url = url
        return self

    def token(self, token: str) -> Self:
        """Set the bearer token for a supervisor; without one, the client has the rights of its connection."""
        self._token = token
        return self

    def tls(self, *, ca_file: str | None = None, cert_file: str | None = None, key_file: str | None = None) -> Self:
        """Set files for TLS with a supervisor, in PEM.

        Args:
            ca_file: Whom to trust instead of the authorities of the system.
            cert_file: Certificate of this client.
            key_file: Its private key, if that is not in the same file.
        """
        given = {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}
        self._tls_files = {name: path for name, path in given.items() if path is not None}
        return self

    def patience(self, seconds: float) -> Self:
        """Set how long a call to a supervisor is repeated whose answer was lost, if that changes nothing.

        Args:
            seconds: By default 60.
        """
        self._patience_s = seconds
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
            StoreUrlInvalid: The URL of a store cannot be used.
            ServerUnusable: The URL of a supervisor cannot be used.
            JobInvalid: The namespace is empty or contains white space.
        """
        if self._server_url:
            from hero_client.remote.supervisor import RemoteSupervisor

            return cast("Supervisor", RemoteSupervisor(self._server(), self._patience_s))
        # Imported here, as below: a program needs one of the clients.
        from hero_client.supervisor import Supervisor
        from hero_job.client.store import Store

        operations = Operations(self._namespace, self._retention)
        return Supervisor(Store(self._url, name="hero-client"), operations, self._limits)

    def build_async(self) -> AsyncSupervisor:
        """Make the asyncio client. It connects with its first call.

        Raises:
            StoreUrlInvalid: The URL of a store cannot be used.
            ServerUnusable: The URL of a supervisor cannot be used.
            JobInvalid: The namespace is empty or contains white space.
        """
        if self._server_url:
            from hero_client.remote.async_supervisor import AsyncRemoteSupervisor

            return cast("AsyncSupervisor", AsyncRemoteSupervisor(self._server(), self._patience_s))
        # redis-py takes a tenth of a second to import, which synchronous programs need not wait for.
        from hero_client.async_supervisor import AsyncSupervisor
        from hero_job.client.async_store import AsyncStore

        return AsyncSupervisor(AsyncStore(self._url), Operations(self._namespace, self._retention), self._limits)

    def _server(self) -> RemoteServer:
        from hero_client.remote.server import RemoteServer, checked

        origin = "the URL of the supervisor"
        return checked(RemoteServer(url=self._server_url, token=self._token, tls_files=self._tls_files, origin=origin))
