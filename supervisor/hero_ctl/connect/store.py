"""Finds the store that a command uses, and opens the API on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hero_client import Supervisor, SupervisorBuilder
from hero_config.layers.places import DEFAULT_STORE_DIR, Places, PlacesUnreadable, embedded_url, find_places
from hero_config.model.urls import shown_url
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import PlaceOptions, StoreOptions
from hero_ctl.output.console import fail

if TYPE_CHECKING:
    from hero_client.remote.server import RemoteServer
    from hero_client.remote.supervisor import RemoteSupervisor

#: Where a supervisor that was started in this folder keeps its embedded store.
STATE_DIR = Path(DEFAULT_STORE_DIR)


def find(place: PlaceOptions) -> Places:
    """Find the deployment. End the command if the config that names it cannot be read."""
    try:
        places = find_places(place.config)
    except PlacesUnreadable as e:
        fail(str(e), CtlExitCode.USAGE)
    _tell(place, lambda: f"config {places.config}, {places.config_origin}" if places.config else "no config file")
    return places


def _tell(place: PlaceOptions, text: Callable[[], str]) -> None:
    if place.verbose:  # otherwise no command pays for the import
        from hero_ctl.connect.steps import tell

        tell(place, text)


def url_of(store: StoreOptions) -> str:
    """Find the URL of the store: the given one, else what `find` found. End the command if there is none.

    Raises:
        StoreNeeded: A server is named instead of a store.
    """
    if names_own(store, "redis_url"):
        _tell(store, lambda: f"store {shown_url(str(store.redis_url))}, named by --redis-url or HERO_REDIS_URL")
        return str(store.redis_url)
    if server_of(store) is not None:
        from hero_client.remote.errors import StoreNeeded

        raise StoreNeeded
    places = find(store)
    found = places.store_url()
    if not found.value:
        fail(places.missing_store(), CtlExitCode.STORE)
    _tell(store, lambda: f"store {shown_url(found.value)}, named by {found.origin}")
    return found.value


def namespace_of(store: StoreOptions) -> str:
    """Find the namespace of the deployment."""
    if store.given_namespace is not None:
        return store.given_namespace
    found = find(store).namespace
    _tell(store, lambda: f"namespace {found.value}, named by {found.origin}")
    return found.value


def open_supervisor(store: StoreOptions) -> Supervisor:
    """Make the API on the chosen store, or on a server. It connects with its first call.

    Raises:
        StoreUrlInvalid: The URL cannot be used.
        JobInvalid: The namespace cannot be used.
    """
    if not names_own(store, "redis_url") and (server := server_of(store)) is not None:
        from hero_client.remote.supervisor import RemoteSupervisor

        return cast("Supervisor", RemoteSupervisor(server))
    url, namespace = url_of(store), namespace_of(store)
    if store.verbose:
        from hero_ctl.connect.steps import open_store
        from hero_job.operations.operations import Operations

        return Supervisor(open_store(store, url, "hero-client"), Operations(namespace))
    return SupervisorBuilder().redis_url(url).namespace(namespace).build()


def names_own(place: PlaceOptions, option: str) -> bool:
    """Whether a store or a socket is named, so that no server is asked. End the command if both are.

    Args:
        place: The options; `cli.py` has made those of the command line win over the environment.
        option: Field with the store or the socket: "redis_url" or "socket".
    """
    if not getattr(place, option):
        return False
    other = next((name for name in ("server", "profile") if getattr(place, name)), None)
    if other is not None:
        fail(
            f"--{option.replace('_', '-')} and --{other}, or their variables HERO_{option.upper()} and "
            f"HERO_{other.upper()}, name different things to ask: leave one of them out",
            CtlExitCode.USAGE,
        )
    return True


def server_of(place: PlaceOptions) -> RemoteServer | None:
    """Find the server that is to be asked instead of the store. End the command if it is not named rightly."""
    from hero_client.remote.errors import ServerUnusable
    from hero_ctl.connect.remote import find_server

    try:
        server = find_server(place.server, place.profile, place.tls_files())
    except ServerUnusable as e:
        fail(str(e), CtlExitCode.USAGE)
    if server is None or not place.verbose:
        return server
    from hero_ctl.connect.steps import told_server

    return told_server(place, server)


def own_name(supervisor: Supervisor) -> str | None:
    """The caller that the token of a server is bound to; None if there is no server, or no such binding."""
    remote = remote_of(supervisor)
    return None if remote is None else remote.own_name()


def remote_of(supervisor: Supervisor) -> RemoteSupervisor | None:
    """The API as what it is if it goes through a server; None if it has a store."""
    return cast("RemoteSupervisor", supervisor) if is_remote(supervisor) else None


def is_remote(supervisor: Supervisor) -> bool:
    """Whether the API goes through a server, so that there is no store."""
    return not isinstance(supervisor, Supervisor)


def socket_of(given: str | None, place: PlaceOptions) -> str:
    """Find the Unix socket of this machine's supervisor: the given one, else that of the config."""
    if given:
        return given
    found = find(place).socket.value
    if not found:
        fail("the config has no unix_socket: set one, or name a socket with --socket or HERO_SOCKET", CtlExitCode.STORE)
    return found


def store_url(given: str | None, store_dir: Path = STATE_DIR) -> str:
    """Choose between a URL and the embedded store of a folder; "" if there is no URL and the store does not run."""
    return given or embedded_url(store_dir)
