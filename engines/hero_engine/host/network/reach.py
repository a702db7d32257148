"""Decides to which addresses scripts may connect: the operator's right `net`, applied to the address that is connected.

Invariant: a name is judged together with the address that it stands for at this moment, and exactly that address is
connected to, so a name whose answer changes leads nowhere else. However an address is written, only its value counts.
Pure, except for the look-up of names.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from hero_engine.host.allowed import split_port
from hero_engine.host.call import Call

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_V6 = re.compile(r"\[([0-9A-Fa-f:.]+)\](/\d{1,3})?(?::(.+))?")
#: The name of a host, or an IPv4 address in any spelling.
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
#: What a resolver reads as an address. Source: inet_aton(3), https://url.spec.whatwg.org/#ends-in-a-number-checker
_LAST_IS_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0[xX][0-9A-Fa-f]*)\.?")
#: Addresses of IPv6 that stand for one of IPv4. Source: RFC 6052
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(Exception):
    """The operator does not allow a connection to this place.

    Args:
        place: `host:port`, as the operator would allow it.
    """

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


@dataclass(frozen=True, slots=True)
class _Target:
    name: str
    network: IpNetwork | None
    port: str

    def admits(self, host: str, address: IpAddress) -> bool:
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        if self.name == "*":
            return _is_public(address)
        if self.name[:1].isdigit() and "*" in self.name:
            return fnmatchcase(str(address), self.name)
        if not self.has_name(host):
            return False
        # A name may stand for an address of a private network. But the owner of its zone must not lead scripts to
        # services of this machine, or of its hypervisor (169.254.169.254).
        return host == "localhost" or not (
            address.is_loopback
            or address.is_link_local
            or address.is_multicast
            or address.is_unspecified
            or (address.version == 4 and address.is_reserved)
        )

    def has_name(self, host: str) -> bool:
        return fnmatchcase(host, self.name) and ":" not in host and not _LAST_IS_NUMBER.fullmatch(host)


class NetworkReach:
    """Where scripts may connect to.

    Args:
        items: Each is `host:port`, `*.domain:port`, `address:port`, `network/length:port`, or `*` for all public
            addresses. An IPv6 address is in brackets. The port may be `*`, or be missing, which means the same.
    """

    def __init__(self, items: Iterable[str]) -> None:
        self._targets = [_parse(item) for item in items]

    @staticmethod
    @functools.lru_cache(maxsize=64)
    def of(items: tuple[str, ...]) -> NetworkReach:
        """Make one, or return the one that was made of the same items."""
        return NetworkReach(items)

    def admits(self, host: str, port: int, address: str) -> bool:
        """Check an address.

        Args:
            host: The name by which it was found, in lower case; or the address as the script wrote it.
            port: The port.
            address: The address that is connected to.
        """
        plain = _plain(address)
        return any(fnmatchcase(str(port), t.port) and t.admits(host, plain) for t in self._targets)

    def may_look_up(self, host: str, port: int) -> bool:
        """Check whether a host can be admitted at all. What a script looks up is read by the owner of the name."""
        return any(
            fnmatchcase(str(port), t.port) and (t.network is not None or t.name == "*" or t.has_name(host))
            for t in self._targets
        ) or _is_literal(host)


def look_up(call: Call, reach: NetworkReach, host: str, port: int, timeout_s: float) -> list[str]:
    """Find the addresses of a host that may be connected to.

    Args:
        call: The run.
        reach: Where it may connect to.
        host: Name or address, without brackets.
        port: The port.
        timeout_s: Longest wait, in seconds.

    Returns:
        At least one address.

    Raises:
        AddressRefused: There is none.
        OSError: The name cannot be found.
        TimeoutError: `timeout_s` has passed.
    """
    host = host.lower().rstrip(".")
    refused = AddressRefused(_place(host, port))
    if not (_NAME.fullmatch(host) or ":" in host) or not 0 < port < 65536 or not reach.may_look_up(host, port):
        raise refused

    def find() -> list[str]:
        try:
            return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except UnicodeError:  # a part of the name is empty or too long
            raise OSError(errno.EINVAL, "this is no name of a host") from None

    found = find() if _is_literal(host) else call.in_thread(find, timeout_s)
    admitted = [address for address in dict.fromkeys(found) if reach.admits(host, port, address)]
    if not admitted:
        raise refused
    return admitted


def _parse(item: str) -> _Target:
    match = _V6.fullmatch(item)
    if match:
        return _Target("", ipaddress.ip_network(match[1] + (match[2] or ""), strict=False), match[3] or "*")
    host, port = split_port(item)
    try:
        network = ipaddress.ip_network(host, strict=False)
    except ValueError:
        network = None
    return _Target(host.lower().rstrip("."), network, port or "*")


def _plain(address: str) -> IpAddress:
    """Read an address, and the address of IPv4 that it stands for if it is such a one."""
    value = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(value, ipaddress.IPv4Address):
        return value
    if value in _NAT64:
        return ipaddress.IPv4Address(int(value) & 0xFFFFFFFF)
    return value.ipv4_mapped or value.sixtofour or value


def _is_public(address: IpAddress) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _place(host: str, port: int) -> str:
    """Write a place as the operator would have to allow it: an address never in another spelling."""
    if ":" in host:
        return f"[{host}]:{port}"
    if _is_literal(host):
        with contextlib.suppress(OSError):  # no address after all
            host = socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
    return f"{host}:{port}"


def _is_literal(host: str) -> bool:
    return ":" in host or _LAST_IS_NUMBER.fullmatch(host) is not None
