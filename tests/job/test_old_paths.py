"""The import paths of version 0.1 give the classes and functions of today."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec

import pytest

import hero_job
from hero_job import old_paths
from hero_job.old_paths import CLASSES, MODULES

#: What the modules of 0.1 defined for others; not their constants, nor what they imported.
OLD_NAMES = {
    "aio": "AsyncStore end_task",
    "batches": "Flow BatchCreated creation_order create_jobs retry_dead purge_dead purge_queue",
    "claimed": "ActorEntry ClaimedJob Settlement Turn Recovery",
    "claims": "Claims Recoveries ActorEntry ClaimedJob Settlement Turn Recovery",
    "codec": "encode_job decode_record encode_reply encode_result decode_reply outcome_of parse_status parse_timeout",
    "connection": "Connection find_master ANSWER_TIMEOUT_S",
    "credentials": "StoredToken TokenList token_hash Credentials SCOPES",
    "errors": "HeroJobError JobInvalid JobNotFound JobConflict JobStateError JobFailed JobDamaged WaitTimeout"
    " StoreError StoreUrlInvalid StoreUnavailable StoreRefused NamespaceInUse ExportInvalid",
    "events": "BEGINNING Entry JobFacts Edges order Events",
    "fields": "check_id check_timeout check_text check_route check_key check_seconds check_count milliseconds",
    "job": "Job JobBuilder JobLimits Priority ScriptType DEFAULT_LIMITS",
    "keys": "Keys DEFAULT_NAMESPACE",
    "lua": "LuaScript CREATE TURN RECOVER ALL",
    "op": "Op Arg T as_is pairs",
    "queues": "Queues",
    "record": "Progress LogLine JobRecord Reply JobPage ActorPresence QueueStatus QueueHead DeadJob BatchStatus"
    " ServerFacts",
    "retention": "Retention DEFAULT_RETENTION",
    "retries": "PERMANENT retry_in_s",
    "schedules": "Overlap Missed Schedule DueSchedule Due Schedules",
    "signatures": "Signature signature_tuple signed_bytes sign_job verify",
    "status": "JobStatus TERMINAL TRANSITIONS",
    "store": "Store GLANCE_S",
    "streams": "PAGE News Listener StreamFollower",
    "survey": "Trouble Stray Survey survey",
    "transfer": "export_lines import_lines",
    "url": "Address Mode StoreUrl parse_url",
    "values": "Values MAX_VALUES",
}


def test_every_module_of_0_1_is_known() -> None:
    assert MODULES.keys() == OLD_NAMES.keys()


@pytest.mark.parametrize("module", MODULES)
def test_an_old_module_has_its_names_and_says_where_they_are_now(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, f"hero_job.{module}", raising=False)
    monkeypatch.delattr(hero_job, module, raising=False)

    with pytest.deprecated_call(match=f"hero_job.{module} has moved; import from hero_job.{MODULES[module][0]}"):
        old = import_module(f"hero_job.{module}")

    homes = [import_module(f"hero_job.{home}") for home in MODULES[module]]
    for name in OLD_NAMES[module].split():
        new_name = CLASSES.get(name, name)
        assert any(getattr(old, name) is vars(home).get(new_name, old) for home in homes), name
    with pytest.raises(AttributeError, match=f"module 'hero_job.{module}' has no attribute 'nothing'"):
        _ = old.nothing


def test_the_warning_points_at_the_program_that_imports() -> None:
    program = "import hero_job.store\nfrom hero_job.claims import Claims\nfrom hero_job import job\nprint(job.Job)"
    environment = {**os.environ, "PYTHONWARNINGS": "default"}

    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert "<string>:1: DeprecationWarning: hero_job.store has moved" in done.stderr
    assert "<string>:2: DeprecationWarning: hero_job.claims has moved" in done.stderr
    assert done.stdout == "<class 'hero_job.model.job.Job'>\n"


def test_operations_keep_their_path() -> None:
    from hero_job.operations import Op, Operations
    from hero_job.operations import operations as module

    assert (Op, Operations) == (module.Op, module.Operations)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        import_module("hero_job.operations").nothing  # noqa: B018


def test_other_names_are_still_not_found() -> None:
    assert find_spec("hero_job.nothing") is None
    assert find_spec("hero_job.model.store") is None


def test_the_finder_is_installed_once_and_behind_those_that_find_real_modules() -> None:
    old_paths.install()

    (place,) = (at for at, finder in enumerate(sys.meta_path) if isinstance(finder, old_paths.OldPaths))
    assert place > sys.meta_path.index(PathFinder)
