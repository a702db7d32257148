"""`heroctl ui` shows the page of a service that has only a Unix socket, to nobody but its user."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.deployment import Deployment, deployed
from tests.eventually import GENEROUS_S
from tests.supervisor.page.conftest import Shown
from tests.supervisor.rpc.tcp_client import ask

HEROCTL = Path(sys.executable).parent / "heroctl"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployed(tmp_path_factory.mktemp("ui")) as running:
        yield running


@pytest.fixture(scope="module")
def ui(deployment: Deployment) -> Iterator[str]:
    """The address that `heroctl ui` prints while it runs; one run for all tests of this module."""
    command = [str(HEROCTL), "ui", "--socket", str(deployment.socket)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HERO_")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kept)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert "Traceback" not in err, err


def token_of(ui: str) -> str:
    return ui.partition("token=")[2]


def socket_url(ui: str) -> str:
    return f"ws://{urlsplit(ui).netloc}/"


def test_page_runs_a_script_over_the_unix_socket(ui: str, shown: Shown) -> None:
    page = shown(ui.replace("overview", "run"))

    page.get_by_label("Script").fill("40 + 2")
    page.get_by_role("button", name="Run", exact=True).click()

    expect(page.locator("pre.result")).to_contain_text("42")
    assert "token" not in page.url


def test_calls_are_passed_on_after_the_token(ui: str) -> None:
    with connect(socket_url(ui), open_timeout=GENEROUS_S) as client:
        assert ask(client, "authenticate", [token_of(ui)])["error"]  # by name only, as the page does it
    with connect(socket_url(ui), open_timeout=GENEROUS_S) as client:
        assert ask(client, "authenticate", {"token": token_of(ui)})["result"] is True
        assert ask(client, "health")["result"]["status"] == "ok"


@pytest.mark.parametrize("first", ["whoami", "authenticate"])
def test_nothing_is_passed_on_without_the_token(ui: str, first: str) -> None:
    with connect(socket_url(ui), open_timeout=GENEROUS_S) as client:
        assert "token" in ask(client, first, {"token": "guessed"})["error"]["message"]
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=300)


def test_pages_of_other_sites_are_refused(ui: str) -> None:
    with pytest.raises(InvalidStatus):
        connect(socket_url(ui), origin=Origin("https://attacker.example"), open_timeout=GENEROUS_S)
    with contextlib.closing(http.client.HTTPConnection(urlsplit(ui).netloc, timeout=300)) as connection:
        connection.request("GET", "/", headers={"Host": "attacker.example"})
        assert connection.getresponse().status == 403


def test_missing_service_and_taken_port_are_told(deployment: Deployment, ui: str, tmp_path: Path) -> None:
    for options, text in (
        (("--socket", str(tmp_path / "none")), "no service listens on"),
        (("--socket", str(deployment.socket), "--port", str(urlsplit(ui).port)), "choose another one with --port"),
    ):
        done = subprocess.run([HEROCTL, "ui", *options], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode != 0
        assert text in done.stderr
