"""The family `secret`: what scripts may read, from where, and that it is hidden in all that a job leaves."""

from __future__ import annotations

import base64
import json
import uuid
from pathlib import Path

import pytest

from hero_engine.engine import Done, Failed
from hero_engine.rights import ScriptRights
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from tests.actor.process import ActorProcess, JobClient
from tests.engine.host.bench_script import ScriptBench
from tests.valkey_server import ValkeyServer

VALUE = 'p"ss wörd-1'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with secrets, as an operator makes it."""
    (tmp_path / "contexts/circle").mkdir(parents=True)
    for name, text in {"api-token": VALUE + "\n", "db": "for all", "contexts/circle/db": "of the circle"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return tmp_path


@pytest.fixture
def bench(folder: Path) -> ScriptBench:
    """Scripts that may read all secrets but one."""
    return ScriptBench(ScriptRights(secrets=("api-*", "d?", "odd*", "contexts", "none"), secrets_dir=str(folder)))


def thrown(bench: ScriptBench, source: str, context_id: str = "circle") -> str:
    outcome = bench.run(
        f"let caught = ``; try {{ {source}; }} catch (e) {{ caught = e; }} caught", context_id=context_id
    )
    assert isinstance(outcome, Done), outcome
    return outcome.output


def test_script_reads_the_secret_of_its_context_or_of_all(bench: ScriptBench) -> None:
    for context_id, length in (("circle", 13), ("another", 7), ("..", 7), ("a/b", 7), ("", 7)):
        assert bench.run('secret("db").len()', context_id=context_id) == Done(str(length), str(length))


def test_secret_is_hidden_wherever_the_job_shows_it(bench: ScriptBench) -> None:
    source = """
        let s = secret("api-token");
        print("it is " + s); debug(s); progress(1, 2, s);
        print(base64_encode(s)); print(base64_encode(s, true)); print(hex_encode(s)); print(url_encode(s));
        print(json_encode([s]));
        #{token: s, list: [s, "harmless"]}
    """
    outcome = bench.run(source)

    assert isinstance(outcome, Done)
    assert json.loads(outcome.output) == {"list": ["***", "harmless"], "token": "***"}
    assert outcome.output_json is None or "***" in outcome.output_json
    said = str((outcome, bench.log.lines, bench.log.reports))
    assert "it is ***" in said
    for form in (VALUE, base64.b64encode(VALUE.encode()).decode().rstrip("="), VALUE.encode().hex(), "ss wörd"):
        assert form not in said
    assert bench.run('secret("api-token")') == Done("***")


def test_secret_is_hidden_in_errors(bench: ScriptBench) -> None:
    for source in ('throw secret("api-token")', 'json_decode(secret("api-token"))', 'job_wait(secret("api-token"))'):
        outcome = bench.run(source)

        assert isinstance(outcome, Failed)
        assert "wörd" not in str(outcome)


def test_lines_of_a_secret_are_hidden_one_by_one(bench: ScriptBench, folder: Path) -> None:
    (folder / "odd").write_text("-----BEGIN-----\nAAAABBBB\n}\n")
    (folder / "odd").chmod(0o600)

    bench.run('for line in secret("odd").split("\\n") { print(line) }')

    assert [text for _, text in bench.log.lines] == ["***", "***", "}"]


NO_NAMES = ["", ".", "..", "../db", "contexts/circle/db", "/etc/passwd", "a b", "a\0b", "x" * 200]


@pytest.mark.parametrize("name", NO_NAMES)
def test_name_is_no_path(bench: ScriptBench, name: str) -> None:
    assert "is no name of a secret" in thrown(bench, f"secret({json.dumps(name)})")


def test_what_is_not_allowed_or_not_there_is_refused(bench: ScriptBench, folder: Path) -> None:
    assert thrown(ScriptBench(), 'secret("db")').startswith("secret: secret is not allowed here")
    assert thrown(bench, 'secret("other")') == (
        'secret: other is not allowed here; the operator enables it with secrets = ["name"] in [actors.allow]'
    )
    assert thrown(bench, 'secret("none")') == "Secret error: there is no secret none"
    assert thrown(bench, 'secret("contexts")') == "Secret error: there is no secret contexts"
    (folder / "api-link").symlink_to(folder / "db")
    assert "cannot be read" in thrown(bench, 'secret("api-link")')
    (folder / "contexts/linked").symlink_to(folder / "contexts/circle")
    assert thrown(bench, 'secret("db")', context_id="linked") != "of the circle"
    (folder / "db").chmod(0o640)
    assert "chmod 600" in thrown(bench, 'secret("db")', context_id="another")
    for name, raw in {"odd1": b"\xff", "odd2": b"x" * 70_000}.items():
        (folder / name).write_bytes(raw)
        (folder / name).chmod(0o600)
    assert thrown(bench, 'secret("odd1")') == "Secret error: the secret odd1 is not UTF-8"
    assert "more than 65536 bytes" in thrown(bench, 'secret("odd2")')


def test_credentials_of_systemd_are_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("of systemd")
    (tmp_path / "token").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    assert ScriptBench(ScriptRights(secrets=("token",))).run('secret("token").len()') == Done("10", "10")


def test_secret_is_hidden_in_what_a_real_job_leaves(
    valkey: ValkeyServer, folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERO_ALLOW", json.dumps({"secrets": ["*"], "secrets_dir": str(folder)}))
    namespace = f"t{uuid.uuid4().hex[:10]}"
    actor = ActorProcess(tmp_path_factory.mktemp("actor"), valkey.url, namespace, "sal", (), control=False)
    try:
        actor.wait_ready()
        with Store(valkey.url) as store:
            client = JobClient(store, Operations(namespace))
            good = client.reply(client.submit('print(secret("api-token")); secret("api-token")', "sal"))
            bad = client.reply(client.submit('throw secret("api-token")', "sal"))
            lines = [line.text for line in store.run(client.operations.log(good.job_id))]
            left = str((good, bad, lines, client.record(good.job_id), client.record(bad.job_id)))
    finally:
        actor.close()

    assert (good.output, lines) == ("***", ["***"])
    assert "wörd" not in left
    assert "wörd" not in actor.log()
