"""Starts the files that take longest first, when the suite runs in several processes.

A file runs in one process. A long file that starts last keeps one process busy while the others have nothing to do, and
pytest-xdist by itself starts the files with the fewest tests last, which here are some of the longest. So scripts/test
turns its order off, and each process calls `longest_first`. The numbers need not be exact: a file that is missing here
takes at most some 20 s.
"""

from __future__ import annotations

import pytest

#: Approximately how many seconds a file takes on a busy machine, if that is more than its number of tests tells.
SECONDS = {
    "tests/deploy/test_systemd.py": 160,
    "tests/scripts/test_quickstart.py": 130,
    "tests/scripts/test_benchmark_modules.py": 90,
    "tests/ctl/test_remote_tls.py": 75,
    "tests/chaos/test_matrix.py": 70,
    "tests/chaos/test_suspects.py": 70,
    "tests/chaos/test_two_hosts.py": 70,
    "tests/scripts/test_try_wheels.py": 70,
    "tests/ctl/bench/test_bench.py": 65,
    "tests/rhai/test_memory_budget.py": 60,
    "tests/supervisor/test_service.py": 60,
    "tests/security/test_loop_lag.py": 50,
    "tests/supervisor/rpc/test_foreign_clients.py": 50,
    "tests/supervisor/rpc/emit/test_rust.py": 100,
    "tests/acceptance/test_published.py": 45,
    "tests/actor/test_turns_ahead.py": 45,
    "tests/supervisor/rpc/tcp/test_plain_posts_differ.py": 30,
    "tests/chaos/test_any_interleaving.py": 45,
    "tests/ctl/commands/test_job_control.py": 45,
    "tests/deploy/test_k8s.py": 45,
    "tests/rhai/test_native_deadlines.py": 45,
    "tests/chaos/test_harness.py": 40,
    "tests/ctl/commands/test_doctor_troubles.py": 40,
    "tests/ctl/commands/test_run.py": 40,
    "tests/path/test_nothing_lost.py": 40,
    "tests/rhai/test_hostile.py": 40,
    "tests/supervisor/children/test_pings.py": 40,
    "tests/supervisor/rpc/methods/test_damaged_store.py": 35,
    "tests/supervisor/fleet/test_reload.py": 40,
    "tests/ctl/commands/test_jobs.py": 35,
    "tests/ctl/commands/test_osis.py": 35,
    "tests/deploy/test_activation.py": 35,
    "tests/rhai/test_conformance.py": 35,
    "tests/scripts/test_benchmark.py": 35,
    "tests/scripts/test_release.py": 35,
    "tests/scripts/test_sbom.py": 35,
    "tests/supervisor/rpc/protocol/test_framer.py": 35,
    "tests/supervisor/test_unix_server.py": 35,
    "tests/chaos/test_can_fail.py": 30,
    "tests/chaos/test_lives.py": 30,
    "tests/chaos/test_options_in_any_order.py": 30,
    "tests/ctl/commands/test_doctor_of_a_service.py": 30,
    "tests/ctl/dev/test_hero_dev.py": 30,
    "tests/ctl/output/test_formats.py": 30,
    "tests/fuzz/test_fuzz.py": 30,
    "tests/test_examples.py": 30,
    "tests/actor/test_faults.py": 25,
    "tests/ctl/commands/test_init.py": 25,
    "tests/ctl/test_connect.py": 25,
    "tests/ctl/test_examples_of_help.py": 25,
    "tests/ctl/test_remote.py": 25,
    "tests/ctl/test_what_people_try.py": 25,
    "tests/deploy/test_alerts.py": 25,
    "tests/engine/heroscript_engine/builtin/test_node.py": 25,
    "tests/engine/host/families/test_process.py": 25,
    "tests/storms/test_damaged_files.py": 25,
    "tests/supervisor/children/test_orphans.py": 25,
    "tests/ctl/commands/test_many_jobs.py": 20,
}
#: What a test of another file takes, approximately.
_SECONDS_PER_TEST = 0.25


def longest_first(items: list[pytest.Item]) -> None:
    """Sort the tests by what their file takes; those of one file keep their order."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    names = sorted(files, key=lambda name: -SECONDS.get(name, len(files[name]) * _SECONDS_PER_TEST))
    items[:] = [item for name in names for item in files[name]]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the tests in the processes of pytest-xdist. All of them sort alike, as it demands."""
    if hasattr(config, "workerinput"):
        longest_first(items)
