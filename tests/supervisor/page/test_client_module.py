"""The TypeScript client in a real Chromium, from the origin of a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Route

from hero_client import Supervisor
from tests.supervisor.page.conftest import Shown
from tests.supervisor.page.places import submit
from tests.supervisor.rpc.running_server import RunningServer

CLIENT = Path(__file__).parents[3] / "clients/typescript"
PROGRAM = """async ([scheme, jobId]) => {
  const {HeroClient, HeroError} = await import('/client/hero.js');
  const client = new HeroClient(`${scheme}://${location.host}`);
  const events = [];
  for await (const event of client.subscribe('jobs', {job_ids: [jobId], after: ''})) {
    if (event.event === 'job') events.push(event.status);
    if (events.length === 2) break;
  }
  const error = await client.getJob({job_id: 'nowhere'}).catch((e) => e);
  const made = await client.submitJob({caller_id: 'a', context_id: 'b', script_type: 'V', script: '1'});
  const found = {
    events,
    status: await client.getJobStatus({job_id: jobId}),
    made: await client.getJobStatus({job_id: made}),
    error: [error instanceof HeroError, error.code, error.kind],
  };
  client.close();
  return found;
}"""


def serve(route: Route) -> None:
    route.fulfill(path=CLIENT / route.request.url.rpartition("/")[2], content_type="text/javascript")


def test_the_client_calls_and_follows_in_a_browser(shown: Shown, server: RunningServer, supervisor: Supervisor) -> None:
    job_id = submit(supervisor)
    page = shown(server.url("/"))
    page.route("**/client/*", serve)
    for scheme in ("http", "ws"):
        found: dict[str, Any] = page.evaluate(PROGRAM, [scheme, job_id])

        assert found == {
            "events": ["created", "dispatched"],
            "status": "dispatched",
            "made": "dispatched",
            "error": [True, 1001, "job_not_found"],
        }
