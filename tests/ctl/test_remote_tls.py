"""Commands through a server that speaks TLS: https, wss, whom to trust, and a certificate of the client."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from hero_client.remote.errors import ServiceRefused, StoreNeeded
from hero_client.remote.server import RemoteServer
from hero_ctl.app import app
from hero_job import JobBuilder, JobFailed
from hero_job.model.job import Job
from hero_job.operations.schedules import Schedule
from tests.ctl.conftest import HEROCTL, LIMIT_S, environment
from tests.ctl.in_process import invoke
from tests.deployment import ACTORS, LONG_LEASE_S, Deployment, deployed
from tests.forked_heroctl import run_heroctl
from tests.supervisor.rpc.tcp_client import make_certificate
from tests.valkey_server import free_port

Call = Callable[..., subprocess.CompletedProcess[str]]


class Secured:
    """A deployment behind TLS.

    Attributes:
        deployment: The deployment.
        ca_file: Its certificate, which is its own authority.
        tokens: Tokens by scope.
    """

    def __init__(self, deployment: Deployment, ca_file: str) -> None:
        self.deployment = deployment
        self.ca_file = ca_file
        self.tokens: dict[str, str] = {}

    def url(self, scheme: str) -> str:
        return f"{scheme}://127.0.0.1:{self.deployment.port}"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    cert, key = make_certificate(folder)
    port = free_port()
    settings = f'port = {port}\nrequire_auth = true\ntls_cert = "{cert}"\ntls_key = "{key}"\n'
    with deployed(folder, actors=settings + ACTORS, lease_s=LONG_LEASE_S) as running:
        running.port = port
        made = Secured(running, cert)
        for scope in ("admin", "user", "read"):
            made.tokens[scope] = run_heroctl(
                [HEROCTL, "keys", "create", f"{scope}-key", "--scope", scope],
                env=environment(running.url), capture_output=True, text=True, check=True,
            ).stdout.strip()  # fmt: skip
        yield made


@pytest.fixture
def call(secured: Secured, tmp_path: Path) -> Call:
    """Run `heroctl` in an empty folder that knows no store."""

    def run(*arguments: str, scope: str = "user", **variables: str) -> subprocess.CompletedProcess[str]:
        env = environment("") | {"HOME": str(tmp_path), "HERO_TOKEN": secured.tokens.get(scope, "")} | variables
        return run_heroctl(
            [HEROCTL, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=LIMIT_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    return run


@contextlib.contextmanager
def asking_for_certificates(secured: Secured) -> Iterator[int]:
    """A proxy as operators put it before the service: it asks each client for a certificate that it knows."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=secured.ca_file)
    server.load_cert_chain(secured.ca_file, str(Path(secured.ca_file).with_name("key.pem")))
    server.verify_mode = ssl.CERT_REQUIRED
    upstream = ssl.create_default_context(cafile=secured.ca_file)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)

        def pass_on(plain: socket.socket) -> None:
            with plain, contextlib.suppress(OSError):
                plain.settimeout(LIMIT_S)
                with (
                    server.wrap_socket(plain, server_side=True) as here,
                    socket.create_connection(("127.0.0.1", secured.deployment.port), LIMIT_S) as raw,
                    upstream.wrap_socket(raw, server_hostname="127.0.0.1") as there,
                ):
                    pump(here, there)

        def pump(here: ssl.SSLSocket, there: ssl.SSLSocket) -> None:
            while not over.is_set():
                if not here.pending() and not there.pending():
                    select.select([here, there], [], [], 0.05)
                for source, target in ((here, there), (there, here)):
                    source.setblocking(False)
                    try:
                        data = source.recv(65_536)
                    except ssl.SSLWantReadError:  # a record of TLS itself, or nothing
                        continue
                    finally:
                        source.settimeout(LIMIT_S)
                    if not data:
                        return
                    target.sendall(data)

        def accept() -> None:
            threads = []
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    threads.append(threading.Thread(target=pass_on, args=(listener.accept()[0],)))
                    threads[-1].start()
            for thread in threads:
                thread.join()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            accepting.join()


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_a_job_runs_over_tls_with_the_authority_that_is_named(secured: Secured, call: Call, scheme: str) -> None:
    where = ("--server", secured.url(scheme), "--ca-file", secured.ca_file)

    ran = call("run", "print(`live`); 6 * 7", *where)
    refused = call("actors", "stop", "sal", *where)

    assert (ran.returncode, ran.stdout) == (0, "42\n"), ran.stderr
    assert "live" in ran.stderr
    assert refused.returncode != 0, "stopping actors needs the scope admin"
    assert "admin" in refused.stderr


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_what_goes_wrong_with_tls_is_said_with_what_to_do(
    secured: Secured, call: Call, tmp_path: Path, scheme: str
) -> None:
    url = secured.url(scheme)
    (tmp_path / "no.pem").write_text("not a certificate")
    (tmp_path / "tls").mkdir()
    other, other_key = make_certificate(tmp_path / "tls")

    unknown = call("list", "--server", url)
    missing = call("list", "--server", url, "--ca-file", str(tmp_path / "none.pem"))
    rubbish = call("list", "--server", url, "--ca-file", str(tmp_path / "no.pem"))
    plain = call("list", "--server", url.replace("s://", "://"))
    name = call("list", "--server", url.replace("127.0.0.1", "localhost"), "--ca-file", secured.ca_file)
    alone = call("list", "--server", url, "--ca-file", secured.ca_file, "--key-file", other_key)
    mixed = call("list", "--server", url, "--ca-file", secured.ca_file, "--cert-file", other, "--key-file",
                 str(Path(secured.ca_file).with_name("key.pem")))  # fmt: skip

    for done, words in (
        (unknown, "name its certificate authority with --ca-file, or ca_file in the profile"),
        (missing, "No such file"),
        (rubbish, "this is not a PEM file of certificates"),
        (plain, url.replace("s://", "://")),
        (name, "name the server as its certificate does"),
        (alone, "--key-file needs the certificate"),
        (mixed, "which belong together"),
    ):
        assert (done.returncode, done.stdout) == (6, ""), done
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert secured.tokens["user"] not in done.stderr


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_a_server_that_asks_for_a_certificate_gets_that_of_the_options_or_of_the_profile(
    secured: Secured, call: Call, tmp_path: Path, scheme: str
) -> None:
    key = str(Path(secured.ca_file).with_name("key.pem"))
    with asking_for_certificates(secured) as port:
        url = f"{scheme}://127.0.0.1:{port}"
        without = call("list", "--server", url, "--ca-file", secured.ca_file)
        given = call(
            "run", "6 * 7", "--server", url, "--ca-file", secured.ca_file, "--cert-file", secured.ca_file,
            "--key-file", key,
        )  # fmt: skip
        (tmp_path / ".config/hero").mkdir(parents=True)
        profiles = tmp_path / ".config/hero/config.toml"
        profiles.write_text(
            f'profile = "there"\n[profiles.there]\nserver = "{url}"\nca_file = "{secured.ca_file}"\n'
            f'cert_file = "{secured.ca_file}"\nkey_file = "{key}"\n'
        )
        profiles.chmod(0o600)
        of_profile = call("run", "6 * 8")

    assert without.returncode == 6
    assert "--cert-file" in without.stderr, without.stderr
    assert (given.returncode, given.stdout) == (0, "42\n"), given.stderr
    assert (of_profile.returncode, of_profile.stdout) == (0, "48\n"), of_profile.stderr


@pytest.mark.parametrize(
    "error",
    [
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)"),
        ConnectionResetError(104, "Connection reset by peer"),
        BrokenPipeError(32, "Broken pipe"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_however_the_end_of_a_connection_is_told_the_message_names_the_certificate(error: OSError) -> None:
    """A client that is refused learns that while it shakes hands, writes, or reads."""
    if isinstance(error, ssl.SSLError):
        error.reason = ""  # the library itself sets it
    assert "--cert-file" in str(RemoteServer(url="wss://127.0.0.1:1").unusable(error))


def test_a_server_on_the_command_line_wins_over_a_store_in_the_environment_and_both_are_refused(
    secured: Secured, call: Call
) -> None:
    nobody, store = "http://127.0.0.1:1", "redis://127.0.0.1:2/"

    flag = call("list", "--server", nobody, HERO_REDIS_URL=store)
    other = call("list", "--redis-url", store, HERO_SERVER=nobody)
    both = call("list", "--server", nobody, "--redis-url", store)
    environ = call("list", HERO_SERVER=nobody, HERO_REDIS_URL=store)
    socket_too = call("whoami", "--server", nobody, HERO_SOCKET="/nowhere")

    assert "127.0.0.1:1" in flag.stderr
    assert "127.0.0.1:2" in other.stderr
    assert "127.0.0.1:1" in socket_too.stderr
    for done in (both, environ):
        assert (done.returncode, "leave one of them out" in done.stderr) == (2, True), done.stderr


#: Every command by the scope that its calls need; "store" if it says that it needs the store, "here" if it asks nobody.
#: JOB, FAILED, SID, FILE and RHAI stand for a job that has ended, one that failed, an object, HeroScript, and Rhai.
COMMANDS = {
    "job run": ("user", "1"), "job submit": ("user", "1"), "job status": ("read", "JOB"), "job show": ("read", "JOB"),
    "job output": ("read", "JOB"), "job wait": ("read", "JOB"), "job logs": ("read", "JOB"), "job list": ("read",),
    "job stop": ("user", "JOB"), "job retry": ("user", "FAILED"), "job delete": ("user", "JOB", "--yes"),
    "job events": ("read",), "queue list": ("read",), "queue pause": ("admin", "v"), "queue resume": ("admin", "v"),
    "queue purge": ("admin", "v", "--yes"), "dead list": ("read",), "dead retry": ("admin", "--yes"),
    "dead purge": ("admin", "--yes"), "schedule add": ("admin", "yearly", "1", "--every", "365d"),
    "schedule list": ("read",), "schedule show": ("read", "daily"), "schedule run": ("user", "daily"),
    "schedule pause": ("admin", "daily"), "schedule resume": ("admin", "daily"), "schedule delete": ("admin", "yearly"),
    "batch list": ("read",), "batch show": ("read", "many"), "batch jobs": ("read", "many"),
    "batch wait": ("read", "many"),
    "actor list": ("read",), "actor show": ("read", "sal"), "actor logs": ("admin", "sal"),
    "actor start": ("admin", "sal"), "actor stop": ("admin", "osis"), "actor restart": ("admin", "sal"),
    "actor scale": ("admin", "sal", "1"), "actor reload": ("admin",), "top": ("read", "-o", "json"),
    "whoami": ("read",), "stats": ("read",), "rpc": ("read", "stats"), "functions": ("read", "--type", "sal"),
    "check": ("here", "RHAI"),
    "doctor": ("store",), "bench": ("store", "--jobs", "1"), "export": ("store", "-"), "import": ("store", "-"),
    "key create": ("store", "bob", "--scope", "read"), "key list": ("store",), "key revoke": ("store", "bob"),
    "osis list": ("read", "hero.note", "--context", "here"),
    "osis get": ("read", "hero.note", "SID", "--context", "here"),
    "osis export": ("store", "-", "--context", "c"), "osis import": ("store", "-", "--context", "c"),
    "osis acl show": ("read", "--context", "here"),
    "osis acl set": ("user", "grant", "read", "bob", "--context", "here"), "config where": ("here",),
    "heroscript check": ("here", "FILE"), "heroscript fmt": ("here", "FILE"), "completion": ("here", "bash"),
    "init": ("here", "--for", "single"), "ui": ("here",), "install-service": ("here", "--user", "--dry-run"),
}  # fmt: skip
SAVE = 'save_note(new_note().title("first").content("written by a script"))'
ALIASES = ("actors", "keys", "jobs", "queues", "pause", "resume", "scale", "reload")


def test_every_command_is_in_the_table() -> None:
    names = set(leaves(typer.main.get_command(app)))
    of_jobs = {name.partition(" ")[2] for name in names if name.startswith("job ")}

    assert {name for name in names if name.partition(" ")[0] not in (*ALIASES, *of_jobs)} == set(COMMANDS)


@pytest.mark.parametrize("scope", ["admin", "read"])
def test_every_command_goes_through_a_server_with_the_rights_of_its_token_or_says_that_it_needs_the_store(
    secured: Secured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scope: str
) -> None:
    """In this process, because starting sixty programs takes long; the tests above start real ones."""
    for name in [name for name in os.environ if name.startswith("HERO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HERO_TOKEN", secured.tokens[scope])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.hero").write_text("!!play.echo content:hello\n")
    with secured.deployment.supervisor() as supervisor:

        def job(script: str) -> Job:
            return JobBuilder().caller_id("me").context_id("here").script_type("sal").script(script).timeout(60).build()

        done, failed = job("1"), job("nowhere")
        supervisor.run_job_and_await_result(done)
        with pytest.raises(JobFailed):
            supervisor.run_job_and_await_result(failed)
        supervisor.create_jobs([job("1")], batch_id="many")
        for name in ("daily", "yearly"):
            supervisor.put_schedule(Schedule(name=name, job=job_fields(done), interval_s=86_400))
        supervisor.store.run(supervisor.schedules.pause("daily"))
        saved = JobBuilder().caller_id("here").context_id("here").script_type("osis").script(SAVE).timeout(60).build()
        sid = supervisor.run_job_and_await_result(saved).strip()
    (tmp_path / "script.rhai").write_text("40 + 2")
    words = {
        "RHAI": str(tmp_path / "script.rhai"),
        "JOB": done.id,
        "SID": sid,
        "FAILED": failed.id,
        "FILE": str(tmp_path / "script.hero"),
    }
    outcomes = {}
    for name, (needs, *arguments) in COMMANDS.items():
        where = [] if needs == "here" and name != "ui" else ["--server", secured.url("https")]
        where += ["--ca-file", secured.ca_file] if where else []
        result = invoke([*name.split(), *[words.get(one, one) for one in arguments], *where])
        error = result.exception if not isinstance(result.exception, SystemExit) else None
        outcomes[name] = (needs, result.exit_code, error, result.output)
        refused = (isinstance(error, ServiceRefused) and error.code == 1302) or "needs the scope" in result.output
        allowed = scope == "admin" or needs in ("read", "here")
        if needs == "store":
            assert isinstance(error, StoreNeeded), (name, outcomes[name])
        elif allowed:
            assert error is None, (name, outcomes[name])
            assert result.exit_code == 0, (name, outcomes[name])
        else:
            assert refused, (name, outcomes[name])
    if scope == "admin":
        with secured.deployment.supervisor() as supervisor:
            supervisor.delete_schedule("daily")  # "yearly" is deleted by the command
        assert invoke(["actor", "start", "osis", *where_of(secured)]).exit_code == 0


def where_of(secured: Secured) -> list[str]:
    return ["--server", secured.url("https"), "--ca-file", secured.ca_file]


def job_fields(job: Job) -> dict[str, object]:
    return {"caller_id": job.caller_id, "context_id": job.context_id, "script": "1", "script_type": "SAL"}


def leaves(group: object, prefix: str = "") -> Iterator[str]:
    for name, command in getattr(group, "commands", {}).items():
        if getattr(command, "commands", None):
            yield from leaves(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"
