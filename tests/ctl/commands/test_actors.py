"""`heroctl actors`, `scale` and `reload`, against a deployment that other tests use too."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from hero_supervisor.rpc.unix.client import call
from tests.ctl.conftest import HEROCTL, LIMIT_S, Heroctl, environment
from tests.deployment import Deployment
from tests.eventually import eventually
from tests.forked_programs import ForkedPopen


def test_actors_are_listed_with_the_number_of_waiting_jobs(heroctl: Heroctl, deployment: Deployment) -> None:
    # Jobs that other tests have left may still be about to end.
    table = eventually(
        lambda: table if "waiting: OSIS 0, SAL 0" in (table := heroctl("actors").stdout) else "",
        what="nothing waits for the actors",
    )
    listed = json.loads(heroctl("actors", "--json").stdout)

    assert {actor["name"]: (actor["script_type"], actor["lanes"], actor["alive"]) for actor in listed} == {
        "osis-1": ("OSIS", 1, True),
        "sal-1": ("SAL", 4, True),
    }
    assert {actor["pid"] for actor in listed} == {p.pid for p in deployment.processes("hero_actor")}
    assert "osis-1" in table


def test_entry_is_scaled_shown_stopped_started_and_restarted(heroctl: Heroctl, deployment: Deployment) -> None:
    where = ("--socket", str(deployment.socket))
    try:
        scaled = heroctl("scale", "sal", "2", *where)
        assert (scaled.returncode, scaled.stderr) == (0, "")
        assert "2 wanted, as requested" in scaled.stdout

        def slots() -> dict[str, str]:
            # Polled without a new process each time, which would take most of the time of this test.
            entry = call(str(deployment.socket), "get_actor", {"name": "sal"}, 30)["result"]
            return {slot["slot"]: slot["phase"] for slot in entry["slots"]}

        eventually(lambda: slots() == {"sal-1": "running", "sal-2": "running"})
        assert heroctl("actors", "stop", "sal-2", *where).returncode == 0
        eventually(lambda: slots() == {"sal-1": "running", "sal-2": "stopped"})
        shown = json.loads(heroctl("actors", "show", "sal", "--json", *where).stdout)
        assert {slot["slot"]: slot["phase"] for slot in shown["slots"]} == slots()
        assert "sal-2" in heroctl("actors", "start", "sal-2", *where).stdout
        eventually(lambda: slots() == {"sal-1": "running", "sal-2": "running"})
        restarted = heroctl("actors", "restart", "sal-2", *where)
        assert (restarted.returncode, restarted.stdout) == (0, "sal-2\n")
    finally:
        heroctl("scale", "sal", "1", *where)
    eventually(lambda: slots() == {"sal-1": "running"})


def test_reload_applies_the_config_or_prints_its_errors(heroctl: Heroctl, deployment: Deployment) -> None:
    where = ("--socket", str(deployment.socket))
    config = deployment.folder / "hero.toml"
    text = config.read_text()
    try:
        config.write_text(text.replace("sweep_s = 0.5", "sweep_s = 0.6"))
        named = heroctl("reload", *where)
        config.write_text(text + "\nlanez = 2\n")
        refused = heroctl("reload", *where)
    finally:
        config.write_text(text)
    same = heroctl("reload", *where)

    assert (named.returncode, named.stdout) == (0, "")
    assert named.stderr == "heroctl: restart the service to apply: supervisor.sweep_s\n"
    assert refused.returncode == 1
    assert "lanez" in refused.stderr
    assert (same.returncode, same.stdout, same.stderr) == (0, "", "")


def test_unknown_name_exits_with_5_and_missing_supervisor_with_6(
    heroctl: Heroctl, deployment: Deployment, tmp_path: Path
) -> None:
    unknown = heroctl("actors", "stop", "nobody", "--socket", str(deployment.socket))
    absent = heroctl("scale", "sal", "2", "--socket", str(tmp_path / "none"))

    assert unknown.returncode == 5
    assert "there are osis, sal" in unknown.stderr
    assert absent.returncode == 6
    assert "--socket" in absent.stderr


def test_restart_tells_what_it_waits_for(heroctl: Heroctl, deployment: Deployment) -> None:
    # OSIS keeps the order of its queue, so the old process ends its job before a new one starts.
    heroctl("submit", "--type", "osis", "--id", "in-the-way", "loop { sleep(0.05); }")

    def busy() -> bool:
        entry = call(str(deployment.socket), "get_actor", {"name": "osis"}, 30)["result"]
        return bool(entry["slots"][0]["busy"] == 1)

    eventually(busy, what="the supervisor knows that the job runs")
    with ForkedPopen(
        [HEROCTL, "actors", "restart", "osis", "--socket", str(deployment.socket)],
        env=environment(deployment.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as restarting:  # fmt: skip
        assert restarting.stderr is not None
        said = [restarting.stderr.readline() for _ in range(2)]
        heroctl("stop", "in-the-way")
        out, _ = restarting.communicate(timeout=LIMIT_S)

    assert said[0].startswith("heroctl: replacing the processes of osis, one by one")
    assert re.fullmatch(r"heroctl: osis-1 \(process [0-9]+\) is draining, 1 jobs still run\n", said[1])
    assert (restarting.returncode, out) == (0, "osis-1\n")
