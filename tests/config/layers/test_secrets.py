"""Secrets that are never shown."""

from __future__ import annotations

from typing import Any

import pytest

from hero_config.layers.key_paths import KeyPath
from hero_config.layers.secrets import without_secrets


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        (("store", "redis_url"), "redis://u:p@ss/w@h:1/0", "redis://***"),
        (("store", "redis_url"), "redis://h/", "redis://h/"),
        (
            ("store", "redis_url"),
            "redis+sentinel://h/m?sentinel_password=x&a=b",
            "redis+sentinel://h/m?sentinel_password=***",
        ),
        (
            ("actors", 0, "env"),
            {"DB_PASSWORD": "x", "API_KEY": "x", "TZ": "UTC"},
            {"DB_PASSWORD": "***", "API_KEY": "***", "TZ": "UTC"},
        ),
        (("actors", 0, "env", "GITHUB_TOKEN"), "x", "***"),
        (("actors", 0, "env", "U"), "https://u:p@h/", "https://***@h/"),
        (
            ("actors", 0, "command"),
            ("a", "--admin-secret", "x", "--token=y", "-v", "redis://:p@h/"),
            ["a", "--admin-secret", "***", "--token=***", "-v", "redis://***@h/"],
        ),
        (
            ("rpc", "tokens"),
            [{"name": "a", "scope": "user", "sha256": "ff"}],
            [{"name": "a", "scope": "user", "sha256": "***"}],
        ),
        (("rpc", "tokens"), ["plain"], ["***"]),
        (("rpc", "tokens"), "plain", "***"),
        (("rpc", "token"), "plain", "***"),
        (("admin_secrets",), ["x", "y"], ["***", "***"]),
        (("stor",), {"redis_url": "redis://:p@h/", "password": 3}, {"redis_url": "redis://***@h/", "password": "***"}),
        (("rpc", "tls_key"), "/etc/key.pem", "/etc/key.pem"),
        (("rpc", "require_auth"), True, True),
        (("rpc", "signature_keys"), ["02ab"], ["02ab"]),
        (("rpc", "tokens"), [], []),
    ],
)
def test_secrets_are_hidden_by_name_and_in_urls(path: KeyPath, value: Any, shown: Any) -> None:
    assert without_secrets(path, value) == shown
