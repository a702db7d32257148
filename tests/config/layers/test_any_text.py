"""Any text in any layer gives either settings, or problems with their place."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hero_config.layers.load import ConfigError, Flag, load_config
from hero_config.report.config_warnings import find_warnings
from hero_config.report.show import as_json, as_toml

VALUES = st.sampled_from(
    """1|-1|"x"|true|1.5|nan|1979-05-27|[]|{}|[1]|[{ a = 1 }]|{ a = { b = 1 } }|"open|hero|[{ name = "sal" }]
[{ type = "v" }, { type = "v" }]|[{ id = "sal", binary_path = "x" }]|'''open""".replace("\n", "|").split("|")
)
KEYS = st.sampled_from(
    [
        "actors",
        "actors.x",
        "actors.0.y",
        "actors.sal.env",
        "actors.sal.env.A",
        "actors.sal",
        "actors.1",
        "actors.osis.name",
        "actors.sal.count",
        "store",
        "store.redis_url.x",
        "jobs.reply_ttl_s",
        "rpc.tokens",
        "rpc.tokens.0.name",
        "rpc.port",
        "redis_url",
        "port",
        "admin_secrets",
        "type",
        "name",
        "count",
        "command",
        "x",
    ]
)
LINES = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES), st.builds("[{}]".format, KEYS), st.builds("[[{}]]".format, KEYS)
)
TEXTS = st.lists(LINES, max_size=6).map("\n".join)
PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=2)


@settings(max_examples=300, deadline=None)
@given(main=TEXTS, drop_in=TEXTS, variables=PAIRS, flags=PAIRS)
@example(main="actors = [1]", drop_in="actors = [1]", variables=[], flags=[])
@example(main="actors = [1]", drop_in="[[actors]]\nlanes = 2", variables=[], flags=[])
def test_outcome_is_settings_or_problems_with_their_place(
    main: str, drop_in: str, variables: list[tuple[str, str]], flags: list[tuple[str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hero.toml")
        path.write_text(main)
        (path.parent / "conf.d").mkdir()
        (path.parent / "conf.d" / "a.toml").write_text(drop_in)
        environ = {f"HERO_{key.upper().replace('.', '__')}": value for key, value in variables}
        given_flags = [Flag(option=f"--set {key}", key=key, text=value) for key, value in flags]
        try:
            config = load_config(path, environ=environ, flags=given_flags)
        except ConfigError as e:
            assert e.problems
            assert all(problem.source and problem.expected for problem in e.problems)
        else:
            assert as_toml(config)
            assert as_json(config)
            find_warnings(config)
