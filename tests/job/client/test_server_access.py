"""Ways to reach a server: TLS, an ACL user, a password, a database, a Unix socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hero_job import StoreRefused, StoreUnavailable
from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from tests.job.conftest import MakeJob
from tests.valkey_server import ValkeyServer, free_port


def works(url: str, namespace: str, make_job: MakeJob) -> None:
    """Create a job with the synchronous store and read it with the asyncio one."""
    operations, job = Operations(namespace), make_job()
    with Store(url) as store:
        store.run(operations.create(job, start=True))

    async def main() -> None:
        async with AsyncStore(url) as store_aio:
            assert (await store_aio.run(operations.record(job.id))).job == job

    asyncio.run(main())


def refused(url: str, error: type[Exception]) -> None:
    with Store(url) as store, pytest.raises(error):
        store.run(Operations("x").ping())

    async def main() -> None:
        async with AsyncStore(url) as store_aio:
            await store_aio.run(Operations("x").ping())

    with pytest.raises((StoreRefused, StoreUnavailable)):
        asyncio.run(main())


def test_a_unix_socket_works(valkey: ValkeyServer, namespace: str, make_job: MakeJob) -> None:
    works(valkey.unix_url, namespace, make_job)


def test_a_database_number_works_and_an_unknown_one_is_refused(
    valkey: ValkeyServer, namespace: str, make_job: MakeJob
) -> None:
    works(f"{valkey.url}5", namespace, make_job)
    refused(f"{valkey.url}4711", StoreRefused)


def test_an_acl_user_can_be_confined_to_the_namespace(own_valkey: ValkeyServer, make_job: MakeJob) -> None:
    own_valkey.command("ACL", "SETUSER", "hero", "on", ">pa:ss@word", "~mine:*", "+@all", "-@admin")

    works(f"redis://hero:pa%3Ass%40word@127.0.0.1:{own_valkey.port}/", "mine", make_job)
    with (
        Store(f"redis://hero:pa%3Ass%40word@127.0.0.1:{own_valkey.port}/") as store,
        pytest.raises(StoreRefused, match="permission"),
    ):
        store.run(Operations("theirs").create(make_job()))
    refused(f"redis://hero:wrong@127.0.0.1:{own_valkey.port}/", StoreRefused)


def tls_server() -> str:
    """Find a server with TLS; the one of the wheel has none."""
    for path in (os.environ.get("HERO_TLS_SERVER"), shutil.which("redis-server"), shutil.which("valkey-server")):
        if path and "libssl" in subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout:
            return path
    pytest.skip("no redis-server or valkey-server with TLS on this machine (on Debian: apt-get install redis-server)")


def make_certificates(folder: Path) -> None:
    """Create an authority, and a certificate for 127.0.0.1."""

    def openssl(*args: str) -> None:
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca",
            "-days", "2")  # fmt: skip
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=s")
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out",
            "server.crt", "-days", "2", "-extfile", "ext")  # fmt: skip


def test_tls_works_with_a_known_authority_only(
    tmp_path: Path, namespace: str, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERO_TEST_SERVER", tls_server())
    make_certificates(tmp_path)
    port = free_port()
    server = ValkeyServer(
        tmp_path, "--tls-port", str(port), "--tls-cert-file", "server.crt", "--tls-key-file", "server.key",
        "--tls-ca-cert-file", "ca.crt", "--tls-auth-clients", "no",
    ).start()  # fmt: skip
    try:
        works(f"rediss://127.0.0.1:{port}/?ssl_ca_certs={tmp_path}/ca.crt", namespace, make_job)
        works(f"rediss://127.0.0.1:{port}/?ssl_cert_reqs=none", f"{namespace}2", make_job)
        refused(f"rediss://127.0.0.1:{port}/", StoreUnavailable)
        refused(f"redis://127.0.0.1:{port}/", StoreUnavailable)
    finally:
        server.stop()
