"""The messages that the service manager gets."""

from __future__ import annotations

import os
import socket
import time
import uuid
from pathlib import Path

import pytest

from hero_supervisor.systemd.notify import Notifier
from tests.supervisor.manager_socket import received


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@hero-{uuid.uuid4().hex}"


def test_service_manager_gets_each_message_and_a_status_only_when_it_changes(address: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + address[1:] if address[0] == "@" else address)
        notifier = Notifier({"NOTIFY_SOCKET": address})
        notifier.status("1 of 2")
        notifier.status("1 of 2")
        notifier.ready()
        notifier.alive()
        notifier.stopping()
        notifier.close()
        assert received(manager) == ["STATUS=1 of 2", "READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_reload_is_reported_with_its_time_and_ends_with_ready(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        notifier = Notifier({"NOTIFY_SOCKET": address})
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        notifier.reloading()
        notifier.ready()
        notifier.close()
        reloading, ready = received(manager)
        word, usec = reloading.split("\nMONOTONIC_USEC=")
        assert (word, ready) == ("RELOADING=1", "READY=1")
        assert before <= int(usec) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_notifier_does_nothing_without_a_service_manager() -> None:
    notifier = Notifier({})
    notifier.ready()
    notifier.close()
    assert notifier.watchdog_s is None


def test_service_manager_that_is_gone_causes_no_error(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    notifier.ready()
    notifier.close()


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_sign_of_life_is_due_after_half_of_the_watchdog_time(environ: dict[str, str], watchdog_s: float | None) -> None:
    assert Notifier(environ).watchdog_s == watchdog_s
