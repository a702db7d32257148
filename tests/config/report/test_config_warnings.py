"""Warnings: valid configurations that look like a mistake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hero_config.layers.load import load_config
from hero_config.report.config_warnings import find_warnings
from tests.config.conftest import Lay

HERO_TOML = Path(__file__).parents[3] / "config" / "hero.toml"


def found(path: Path) -> list[str]:
    path.chmod(0o600)
    return [str(problem).replace(f"{path.parent}/", "") for problem in find_warnings(load_config(path, environ={}))]


def test_defaults_give_no_warning() -> None:
    assert find_warnings(load_config(environ={})) == []
    assert find_warnings(load_config(HERO_TOML, environ={})) == []


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[store]\nredis_url = 'redis://h/'\n[embedded]\nport = 1\n", "hero.toml:4: embedded.port", "has no effect"),
        ("[rpc]\nhosts = ['a']\n", "hero.toml:2: rpc.hosts", "rpc.port is 0"),
        ("[rpc]\nunix_peers = [{ user = 'a', scope = 'user' }]\n", "hero.toml:2: rpc.unix_peers", 'not "peer"'),
        ("[supervisor]\nlog_file = 'x'\n", "hero.toml:2: supervisor.log_file", 'not "file"'),
        ("actors = []\n", "hero.toml:1: actors", "no actors"),
        ("[embedded]\nappendfsync = 'no'\n", "hero.toml:2: embedded.appendfsync", "power cut"),
        ("[rpc]\nport = 1\nrequire_auth = true\ninsecure = true\n", "hero.toml:4: rpc.insecure", "without TLS"),
        ("[rpc]\nport = 1\n", "hero.toml:2: rpc.port", "every user of this machine"),
        ("[rpc]\nunix_mode = '0666'\n", "hero.toml:2: rpc.unix_mode", "every user"),
        ("[supervisor]\nlease_s = 2\n", "hero.toml:2: supervisor.lease_s", "short pause"),
        ("[embedded]\nbinary = '/none'\n", "hero.toml:2: embedded.binary", "no such file"),
        ("[[actors]]\ntype = 'osis'\ncount = 2\n", "hero.toml:3: actors.0.count", "order of the queue"),
        ("[[actors]]\ntype = 'v'\nmax_rss_bytes = 1\n", "hero.toml:3: actors.0.max_rss_bytes", "after every job"),
        (
            "[[actors]]\ntype = 'v'\ncount = 9\nmax = 3\n",
            "hero.toml:3: actors.0.count",
            "not between min (0) and max (3)",
        ),
        ("[[actors]]\ntype = 'v'\ncwd = '/none'\n", "hero.toml:3: actors.0.cwd", "no such folder"),
        ("[[actors]]\ntype = 'v'\ncommand = ['/none']\n", "hero.toml:3: actors.0.command", "no such program"),
    ],
)
def test_warning_has_its_place(lay: Lay, text: str, place: str, words: str) -> None:
    (problem,) = found(lay(text))
    assert problem.startswith(f"{place}: ")
    assert words in problem


@pytest.mark.parametrize(
    "text",
    [
        "[rpc]\nunix_auth = 'token'\nrequire_auth = true\n",
        "[rpc]\nunix_mode = '0666'\nunix_auth = 'peer'\n",
        "[[actors]]\ntype = 'osis'\ncount = 2\nby_context = true\n",
        f"[[actors]]\ntype = 'v'\ncwd = '/'\ncommand = ['{sys.executable}', '-V']\n",
        "[[actors]]\ntype = 'v'\nmin = 2\nmax = 3\n",
    ],
)
def test_reasonable_configuration_gives_no_warning(lay: Lay, text: str) -> None:
    assert found(lay(text)) == []


def test_secret_that_others_may_read_gives_a_warning(lay: Lay) -> None:
    path = lay("", a='[store]\nredis_url = "redis://:geheim@h/"\n')
    assert found(path) == ["conf.d/a.toml: holds a secret, and others may read it: chmod 600"]
    (path.parent / "conf.d" / "a.toml").chmod(0o600)
    assert found(path) == []


def test_secret_that_is_kept_as_a_hash_gives_a_warning_too(lay: Lay) -> None:
    path = lay('port = 1\nadmin_secrets = ["geheim"]\n')
    warning = "hero.toml: holds a secret, and others may read it: chmod 600"
    assert warning not in found(path)
    path.chmod(0o644)
    assert warning in [str(s).replace(f"{path.parent}/", "") for s in find_warnings(load_config(path, environ={}))]


def test_file_in_conf_d_with_another_ending_gives_a_warning(lay: Lay, tmp_path: Path) -> None:
    path = lay("", a="")
    (tmp_path / "conf.d" / "b.conf").write_text("")
    assert found(path) == ["conf.d/b.conf: is ignored: the name of a drop-in ends in .toml"]
