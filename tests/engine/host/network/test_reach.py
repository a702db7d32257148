"""Where scripts may connect to: names, addresses in every spelling, and names whose answers change."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from hero_engine.engine import Asker
from hero_engine.host.call import Call
from hero_engine.host.network.reach import AddressRefused, NetworkReach, look_up
from hero_engine.rights import ScriptRights

PUBLIC = "93.184.216.34"


def call() -> Call:
    asker = Asker(job_id="j", caller_id="a", context_id="c", deadline_mono=time.monotonic() + 60)
    return Call(asker, ScriptRights(), stopped=lambda: False)


@pytest.mark.parametrize(
    ("items", "host", "port", "address", "admitted"),
    [
        (["api.example.org:443"], "api.example.org", 443, PUBLIC, True),
        (["api.example.org:443"], "api.example.org", 80, PUBLIC, False),
        (["api.example.org:*"], "api.example.org", 80, PUBLIC, True),
        (["api.example.org"], "api.example.org", 80, PUBLIC, True),
        (["API.Example.org:443"], "api.example.org", 443, PUBLIC, True),
        (["api.example.org:443"], "api.example.org.evil.org", 443, PUBLIC, False),
        (["*.example.org:443"], "a.b.example.org", 443, PUBLIC, True),
        (["*.example.org:443"], "example.org", 443, PUBLIC, False),
        (["*.example.org:443"], "evilexample.org", 443, PUBLIC, False),
        # A name may stand for a private address, but not for this machine or its hypervisor.
        (["*.internal.example:5432"], "db.internal.example", 5432, "10.1.2.3", True),
        (["*.internal.example:5432"], "db.internal.example", 5432, "fd00::1", True),
        (["db.example:1"], "db.example", 1, "127.0.0.1", False),
        (["db.example:1"], "db.example", 1, "169.254.169.254", False),
        (["db.example:1"], "db.example", 1, "0.0.0.0", False),
        (["db.example:1"], "db.example", 1, "::", False),
        (["db.example:1"], "db.example", 1, "::1", False),
        (["db.example:1"], "db.example", 1, "::ffff:127.0.0.1", False),
        (["db.example:1"], "db.example", 1, "64:ff9b::7f00:1", False),
        (["db.example:1"], "db.example", 1, "2002:7f00:1::", False),
        (["db.example:1"], "db.example", 1, "fe80::1%eth0", False),
        (["db.example:1"], "db.example", 1, "224.0.0.1", False),
        (["localhost:6379"], "localhost", 6379, "127.0.0.1", True),
        (["localhost:6379"], "localhost", 6379, "::1", True),
        # A star stands for public addresses.
        (["*"], "example.org", 443, PUBLIC, True),
        (["*"], PUBLIC, 443, PUBLIC, True),
        (["*:443"], "example.org", 80, PUBLIC, False),
        *(
            (["*", "*:*", "*.*", "*.*.*.*"], address, 80, address, False)
            for address in (
                "127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
                "224.0.0.1", "255.255.255.255", "fe80::1", "fd00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
                "2002:a00:1::", "::127.0.0.1",
            )
        ),
        (["*"], "localhost", 80, "127.0.0.1", False),
        # Written out.
        (["127.0.0.1:80"], "127.0.0.1", 80, "127.0.0.1", True),
        (["127.0.0.1:80"], "::ffff:127.0.0.1", 80, "::ffff:127.0.0.1", True),
        (["127.0.0.1:80"], "127.0.0.2", 80, "127.0.0.2", False),
        (["10.0.0.0/8:5432"], "10.200.3.4", 5432, "10.200.3.4", True),
        (["10.0.0.0/8:5432"], "db.example", 5432, "10.200.3.4", True),
        (["10.0.0.0/8:5432"], "11.0.0.1", 5432, "11.0.0.1", False),
        (["10.0.0.0/8"], "10.200.3.4", 1, "10.200.3.4", True),
        (["127.0.0.*:80"], "127.0.0.9", 80, "127.0.0.9", True),
        (["[::1]:80"], "::1", 80, "::1", True),
        (["[::1]:80"], "::1", 81, "::1", False),
        (["[fd00::]/8:80"], "fd12::1", 80, "fd12::1", True),
        (["[fd00::]/8:80"], "fe80::1", 80, "fe80::1", False),
        ([], "example.org", 443, PUBLIC, False),
    ],
)  # fmt: skip
def test_address_is_judged_by_its_value(items: list[str], host: str, port: int, address: str, admitted: bool) -> None:
    assert NetworkReach(items).admits(host, port, address) is admitted


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "127.1", "127.000.000.001", "0177.0.0.1",
     "::ffff:127.0.0.1", "::ffff:7f00:1", "127.0.0.1.", "0", "0.0.0.0", "::1", "::", "300.0.0.1", "1.2.3.4.5",
     "127.0.0.1 ", "127.0.0.1\n", "", "-", "a b", "[::1]", "fe80::1%lo"],
)  # fmt: skip
def test_no_spelling_reaches_this_machine(host: str) -> None:
    for items in (["*:*"], ["*.*:*"], ["example:*"]):
        with pytest.raises((AddressRefused, OSError)):
            look_up(call(), NetworkReach(items), host, 80, 5)


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "017700000001", "127.1", "127.0.0.1.", "127.0.0.1"])
def test_every_spelling_of_an_address_that_is_allowed_leads_to_it(host: str) -> None:
    assert look_up(call(), NetworkReach(["127.0.0.1:80"]), host, 80, 5) == ["127.0.0.1"]


@pytest.mark.parametrize("port", [0, -1, 65536, 1 << 40])
def test_port_must_be_one(port: int) -> None:
    with pytest.raises(AddressRefused):
        look_up(call(), NetworkReach(["*:*", "127.0.0.1:*"]), "127.0.0.1", port, 5)


def test_only_admitted_addresses_of_a_name_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, 80)) for address in ("127.0.0.1", PUBLIC, "169.254.169.254", PUBLIC)]

    monkeypatch.setattr(socket, "getaddrinfo", answers)

    assert look_up(call(), NetworkReach(["name.example:80"]), "Name.Example.", 80, 5) == [PUBLIC]


def test_name_that_cannot_be_admitted_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> list[Any]:
        raise AssertionError("looked up")

    monkeypatch.setattr(socket, "getaddrinfo", never)

    with pytest.raises(AddressRefused):
        look_up(call(), NetworkReach(["api.example.org:443"]), "secret-in-a-name.evil.example", 443, 5)


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("0x7f.1", "127.0.0.1:80"),
        ("127.1", "127.0.0.1:80"),
        ("2130706433", "127.0.0.1:80"),
        ("127.0.0.1.", "127.0.0.1:80"),
        ("10.1.2.3", "10.1.2.3:80"),
        ("::1", "[::1]:80"),
        ("Name.Example.", "name.example:80"),
    ],
)
def test_refusal_names_the_place_as_it_would_have_to_be_allowed(host: str, place: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        look_up(call(), NetworkReach([]), host, 80, 5)
    assert refused.value.place == place
