"""The places of the page and their addresses, text that must never become markup, and what tests do on every page."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Page, expect

from hero_client import Supervisor
from hero_job import JobBuilder
from tests.deployment import Deployment
from tests.supervisor.rpc.running_server import RunningServer

#: The pages that the navigation names.
PAGES: Final = (
    "overview",
    "jobs",
    "run",
    "queues",
    "actors",
    "failures",
    "schedules",
    "batches",
    "objects",
    "metrics",
    "events",
    "api",
)
HOSTILE: Final = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>${alert(3)}\x1b[31m\u202e"


def address(server: RunningServer | Deployment, place: str) -> str:
    """Return the address of a place on the page of a server."""
    return f"http://127.0.0.1:{server.port}/#/{place}"


def visit(page: Page, place: str) -> None:
    """Go to another place of a page that is shown, and wait until it has left the one before.

    `Page.goto` may return before the page has heard of its new address; what a test sees then is still the old place.
    """
    page.evaluate(
        """hash => new Promise(resolve => {
          if (location.hash === hash) return resolve();
          addEventListener('hashchange', resolve, {once: true});  // behind the listener of the page
          location.hash = hash;
        })""",
        f"#/{place}",
    )


def jump(page: Page, key: str, heading: str) -> None:
    """Go to a place by the keys `g` and another one, and wait for its heading.

    The page forgets the first key after a moment, which a slow machine may take for the second one.
    """
    there = page.get_by_role("heading", name=heading)
    while not there.count():
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_timeout(500)
    expect(there).to_be_visible()


def submit(supervisor: Supervisor, script: str = "1", **fields: str) -> str:
    """Create and start a job that nobody runs; return its id."""
    builder = JobBuilder().caller_id("alice").context_id("shop").script_type("v").script(script)
    for name, value in fields.items():
        builder = getattr(builder, name)(value)
    job = builder.build()
    supervisor.create_job(job)
    supervisor.start_job(job.id)
    return job.id


def sign_in(page: Page, token: str) -> None:
    """Give a token to the page that asks for one."""
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
