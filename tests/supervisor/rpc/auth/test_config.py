"""The configuration of the RPC: settings that would open the port to the network are refused at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero_config.layers.load import load
from hero_config.layers.problems import ConfigError

TOKEN = f'tokens = [{{ name = "ops", scope = "admin", sha256 = "{"0" * 64}" }}]\n'
TLS = 'tls_cert = "c"\ntls_key = "k"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('bind = "0.0.0.0"\nport = 9000\n', "set tokens"),
        ('bind = "0.0.0.0"\nport = 9000\nrequire_auth = true\n', "tls_cert and tls_key"),
        ('signature_keys = ["02"]\n', "66 hexadecimal digits"),
        ('signature_keys = ["*"]\nsignature_scope = "admin"\n', "everybody would be admin"),
        ('unix_auth = "peers"\n', "'off', 'peer' or 'token'"),
        ('unix_peers = [{ user = "a b", scope = "read" }]\n', "name or number"),
        ("rights = [{ callers = [] }]\n", "at least 1 item"),
        ('rights = [{ callers = ["*"], script_types = ["lua"] }]\n', "'osis', 'sal', 'v' or 'python'"),
        ('bind = "::"\nport = 9000\n' + TLS, "set tokens"),
        ('bind = "192.0.2.1"\nport = 9000\n' + TOKEN, "tls_cert and tls_key"),
        ('tls_cert = "c"\n', "set together"),
        ('bind = "example.org"\n', "IP address"),
        ('tokens = [{ name = "a", scope = "god", sha256 = "00" }]\n', "'admin', 'user' or 'read'"),
        (TOKEN.replace("]", ", ") + TOKEN.removeprefix("tokens = ["), "used twice"),
    ],
)
def test_settings_that_would_open_the_port_to_the_network_are_refused_at_the_start(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "hero.toml"
    path.write_text(f"[rpc]\n{text}")

    with pytest.raises(ConfigError, match=problem):
        load(path, environ={})


@pytest.mark.parametrize(
    "text",
    [
        "port = 9000\n",
        'bind = "::1"\nport = 9000\n',
        'bind = "0.0.0.0"\n',
        'bind = "0.0.0.0"\nport = 9000\nrequire_auth = true\n' + TLS,
        f'bind = "0.0.0.0"\nport = 9000\nsignature_keys = ["02{"ab" * 32}"]\n' + TLS,
        'signature_keys = ["*"]\n',
        'rights = [{ callers = ["ops"], script_types = ["sal"], context_id = "a*" }, { callers = ["*"] }]\n',
        'unix_auth = "peer"\nunix_peers = [{ user = "1000", scope = "user" }]\n',
        'bind = "0.0.0.0"\nport = 9000\n' + TOKEN + TLS,
        'bind = "0.0.0.0"\nport = 9000\ninsecure = true\n',
    ],
)
def test_safe_settings_and_declared_insecure_ones_are_accepted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hero.toml"
    path.write_text(f"[rpc]\n{text}")

    assert load(path, environ={}).rpc
