"""Finds the store that a command uses, and opens the API on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from hero_client import Supervisor, SupervisorBuilder
from hero_config.layers.places import DEFAULT_STORE_DIR, Places, PlacesUnreadable, embedded_url, find_places
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import PlaceOptions, StoreOptions
from hero_ctl.output.console import fail

if TYPE_CHECKING:
    from hero_client.remote.server import RemoteServer

#: Where a supervisor that was started in this folder keeps its embedded store.
STATE_DIR = Path(DEFAULT_STORE_DIR)


def find(place: PlaceOptions) -> Places:
    """Find the deployment. End the command if the config that names it cannot be read."""
    try:
        return find_places(place.config)
    except PlacesUnreadable as e:
        fail(str(e), CtlExitCode.USAGE)


def url_of(store: StoreOptions) -> str:
    """Find the URL of the store: the given one, else what `find` found. End the command if there is none.

    Raises:
        StoreNeeded: A server is named instead of a store.
    """
    if names_own(store, "redis_url"):
        return str(store.redis_url)
    if server_of(store) is not None:
        from hero_client.remote.errors import StoreNeeded

        raise StoreNeeded
    places = find(store)
    found = places.store_url()
    if not found.value:
        fail(places.missing_store(), CtlExitCode.STORE)
    return found.value


def namespace_of(store: StoreOptions) -> str:
    """Find the namespace of the deployment."""
    return find(store).namespace.value if store.given_namespace is None else store.given_namespace


def open_supervisor(store: StoreOptions) -> Supervisor:
    """Make the API on the chosen store, or on a server. It connects with its first call.

    Raises:
        StoreUrlInvalid: The URL cannot be used.
        JobInvalid: The namespace cannot be used.
    """
    if not names_own(store, "redis_url") and (server := server_of(store)) is not None:
        from hero_client.remote.supervisor import RemoteSupervisor

        return cast("Supervisor", RemoteSupervisor(server))
    return SupervisorBuilder().redis_url(url_of(store)).namespace(namespace_of(store)).build()


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
        return find_server(place.server, place.profile, place.tls_files())
    except ServerUnusable as e:
        fail(str(e), CtlExitCode.USAGE)


def own_name(supervisor: Supervisor) -> str | None:
    """The caller that the token of a server is bound to; None if there is no server, or no such binding."""
    if not is_remote(supervisor):
        return None
    from hero_client.remote.supervisor import RemoteSupervisor

    remote: object = supervisor
    return remote.own_name() if isinstance(remote, RemoteSupervisor) else None


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
