"""A real Chromium that shows the page of a real server, and fails the test for what a page must never do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, expect, sync_playwright

from hero_client import Supervisor
from hero_supervisor import SupervisorBuilder
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import token_settings
from tests.valkey_server import ValkeyServer

CHROMIUM = shutil.which("chromium")
#: What a slow machine may take to show something, in milliseconds.
PATIENCE_MS = 150_000
expect.set_options(timeout=PATIENCE_MS)

Shown = Callable[[str], Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a module; no longer, because an event loop runs in this thread while it is open."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE_MS)
        yield running
        running.close()


@pytest.fixture
def shown(browser: Browser) -> Iterator[Shown]:
    """Open the page at an address, in a browser that remembers nothing of other tests.

    The test fails if the page has an error, violates its policy, or opens a dialog of the browser.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    faults: list[str] = []

    def refuse(dialog: Dialog) -> None:
        faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "WebSocket connection to" not in message.text:
            faults.append(message.text)

    def open_page(url: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", refuse)
        page.on("console", listen)
        page.goto(url)
        return page

    yield open_page
    context.close()
    assert faults == []


@pytest.fixture
def server(valkey: ValkeyServer, namespace: str) -> Iterator[RunningServer]:
    """A server that asks for no token; no actor runs what is submitted to it."""
    server = RunningServer(valkey.url, namespace).start()
    yield server
    server.stop()


@pytest.fixture
def guarded(valkey: ValkeyServer, namespace: str) -> Iterator[RunningServer]:
    """A server that asks for a token."""
    server = RunningServer(valkey.url, namespace, tokens=token_settings()).start()
    yield server
    server.stop()


@pytest.fixture
def supervisor(valkey: ValkeyServer, namespace: str) -> Iterator[Supervisor]:
    """A client of the store of both servers."""
    with SupervisorBuilder().redis_url(valkey.url).namespace(namespace).build() as supervisor:
        yield supervisor
