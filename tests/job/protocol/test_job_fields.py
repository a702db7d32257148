"""One row describes a field of a job; everything else is derived from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from hero_job.model.job import JOB_FIELDS
from tests.job.protocol.field_table import field_table

ROOT = Path(__file__).parents[3]

ROW = """
    colour: str | None = field(
        default=None,
        metadata=row(
            NAME,
            "Made up.",
            is_option=True,
            command_line=CommandLineOption(flag="--colour", metavar="NAME", help="Made up too."),
        ),
    )
"""

EVERYWHERE = """
from hero_job import Job
from hero_job.model.job import JOB_FIELDS
from hero_job.model.retention import DEFAULT_RETENTION
from hero_job.model.signing import signed_bytes
from hero_job.protocol import codec, lua

plain = {"id": "j", "caller_id": "a", "context_id": "b", "script": "1", "script_type": "sal"}
job = Job.from_fields({**plain, "colour": "red"})
flat = codec.encode_job(job)
record = codec.decode_record("j", dict(zip(flat[::2], flat[1::2])))
assert ("colour", "red") in zip(flat[::2], flat[1::2])
assert record.job == job
assert codec.has_options(job) and not codec.has_options(Job.from_fields(plain))
assert "colour" not in codec.encode_job(Job.from_fields(plain))
assert b'"colour":"red"' in signed_bytes(job)
assert "'colour'" in lua.CREATE.source

from hero_supervisor.rpc.methods import job_shapes
from pydantic import TypeAdapter
assert TypeAdapter(job_shapes.JobFields).json_schema()["properties"]["colour"]["description"] == "Made up."
assert "colour" in TypeAdapter(job_shapes.JobView).json_schema()["properties"]
assert job_shapes.job_view(record)["colour"] == "red"

from hero_actor.lanes.script_access import ScriptAccess
assert ScriptAccess(None, "hero", DEFAULT_RETENTION).call(None, "job.options", {})["colour"] == "text"

from hero_ctl.job_fields import OneTimeJobOptions, job_fields
assert job_fields("1", OneTimeJobOptions(colour="red"))["colour"] == "red"

from field_table import field_table
assert any(line.startswith("| `colour` | text | none | if set |") for line in field_table(JOB_FIELDS))
"""


def test_the_page_lists_the_fields_as_their_rows_describe_them() -> None:
    table = (ROOT / "docs/redis.md").read_text("utf-8").partition("| field | type | default | stored | meaning |\n")[2]

    assert table.split("\n\n")[0].splitlines()[1:] == field_table(JOB_FIELDS)


def test_a_made_up_field_appears_everywhere_by_its_row_alone(tmp_path: Path) -> None:
    folders = ["config", "actors", "supervisor", "engines/hero_engine"]
    for folder in folders:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    module = tmp_path / "actors/hero_job/model/job.py"
    source = module.read_text("utf-8")
    place = "    batch: str | None = field("
    assert source.count(place) == 1
    module.write_text(source.replace(place, f"{ROW.lstrip(chr(10))}{place}"), "utf-8")
    path = [tmp_path / folder for folder in ("config", "actors", "supervisor", "engines")]
    env = {"PYTHONPATH": ":".join(map(str, [*path, Path(__file__).parent]))}

    subprocess.run([sys.executable, "-c", EVERYWHERE], env=env, cwd=tmp_path, check=True)
    help_of_submit = "import sys; from hero_ctl.cli import main; sys.argv[1:] = ['submit', '--help']; main()"
    shown = subprocess.run(
        [sys.executable, "-c", help_of_submit], env=env, cwd=tmp_path, check=True, capture_output=True, text=True
    )

    assert "--colour" in shown.stdout
