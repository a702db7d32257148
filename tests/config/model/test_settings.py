"""The settings, and what an operator reads when one is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero_config.layers.load import load
from hero_config.layers.problems import ConfigError, ConfigProblem
from hero_config.model.settings import Settings


def problems_of(path: Path | None, environ: dict[str, str] | None = None) -> tuple[ConfigProblem, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ=environ or {})
    return caught.value.problems


def write(folder: Path, text: str) -> Path:
    path = folder / "test.toml"
    path.write_text(text)
    return path


def test_without_a_file_the_defaults_are_an_osis_and_a_sal_actor() -> None:
    assert [actor.base_name for actor in load(environ={}).actors] == ["osis", "sal"]


def test_file_without_actors_has_the_default_actors_and_an_empty_list_has_none(tmp_path: Path) -> None:
    assert len(load(write(tmp_path, "[store]\n"), environ={}).actors) == 2
    assert load(write(tmp_path, "actors = []\n"), environ={}).actors == ()


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, '[store]\nnamespace = "file"\n[supervisor]\nsweep_s = 1\n[[actors]]\ntype = "sal"\n')
    settings = load(
        path,
        environ={
            "HERO_STORE__NAMESPACE": "{env}",
            "HERO_SUPERVISOR__LEASE_S": "4.5",
            "HERO_ACTORS__0__COUNT": "3",
            "HERO_ACTORS__0__ENV__Path": "x",
        },
    )
    assert settings.store.namespace == "{env}"
    assert settings.supervisor.sweep_s == 1
    assert settings.supervisor.lease_s == 4.5
    assert settings.actors[0].count == 3
    assert settings.actors[0].env == {"Path": "x"}


def test_environment_alone_changes_the_default_actors() -> None:
    assert load(environ={"HERO_ACTORS__1__LANES": "4"}).actors[1].lanes == 4


def test_variables_of_other_programs_are_ignored() -> None:
    assert load(environ={"HERO_REDIS_URL": "redis://h/", "HERO_PYTHON": "python3.12", "HEROIC__X": "1"}) == Settings()


def test_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path / "none.toml")
    assert str(problem) == f"{tmp_path / 'none.toml'}: the file does not exist"


def test_folder_in_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path)
    assert "cannot be read" in problem.expected


def test_file_that_is_not_toml_names_the_place(tmp_path: Path) -> None:
    (problem,) = problems_of(write(tmp_path, "[store]\nnamespace = hero\n"))
    assert (problem.line, problem.key) == (2, "")
    assert problem.expected == "not TOML at column 13: Invalid value; text needs quotes, and a key may appear only once"


def test_error_in_the_last_line_has_its_line_and_one_at_the_end_of_the_file_has_none(tmp_path: Path) -> None:
    (in_last_line,) = problems_of(write(tmp_path, '[store]\nnamespace = "hero'))
    (at_the_end,) = problems_of(write(tmp_path, '[store]\nnamespace = """hero\n'))
    assert in_last_line.line == 2
    assert at_the_end.line is None
    assert all(problem.expected.startswith("not TOML") for problem in (in_last_line, at_the_end))


def test_file_that_is_not_toml_hides_no_problem_of_another_file_and_invents_none(tmp_path: Path) -> None:
    path = write(tmp_path, "[[actors]]\nname = 'x'\ntype = sal\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.toml").write_text("[[actors]]\nname = 'x'\ncount = 'y'\n")
    assert [problem.line for problem in problems_of(path)] == [3, 3]


def test_file_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'[store]\nnamespace = "h\xe9ro"\n')
    (problem,) = problems_of(path)
    assert "UTF-8" in problem.expected


@pytest.mark.parametrize(
    ("text", "key", "line", "nearest"),
    [
        ("[store]\nredis_ur = 'x'\n", "store.redis_ur", 2, "store.redis_url"),
        ("[stor]\nredis_url = 'x'\n", "stor", 1, "store"),
        ("[supervisor]\nmax_timeout_s = 3\n", "supervisor.max_timeout_s", 2, "jobs.max_timeout_s"),
        ("[[actors]]\ntype='osis'\n\n[[actors]]\ntype='sal'\nlane = 3\n", "actors.1.lane", 6, "actors.1.lanes"),
        ("[rpc]\nzzz = 1\n", "rpc.zzz", 2, ""),
        ("\n[[actor]]\ntype='osis'\n", "actor", 2, "actors"),
    ],
)
def test_unknown_key_is_named_with_its_line_and_the_nearest_valid_one(
    tmp_path: Path, text: str, key: str, line: int, nearest: str
) -> None:
    (problem,) = problems_of(write(tmp_path, text))
    assert (problem.key, problem.line, problem.nearest) == (key, line, nearest)
    assert problem.expected == "unknown key"


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("[jobs]\nmax_redeliveries = '3'", "jobs.max_redeliveries", "whole number"),
        ("[jobs]\nmax_redeliveries = true", "jobs.max_redeliveries", "whole number"),
        ("[jobs]\nmax_redeliveries = 1.5", "jobs.max_redeliveries", "whole number"),
        ("[supervisor]\nlease_s = 'long'", "supervisor.lease_s", "should be a number"),
        ("[supervisor]\nlease_s = inf", "supervisor.lease_s", "finite"),
        ("[supervisor]\nsweep_s = 0", "supervisor.sweep_s", "greater than or equal to 0.1"),
        ("[supervisor]\nlog_level = 'loud'", "supervisor.log_level", "'debug', 'info', 'warning' or 'error'"),
        ("[store]\nnamespace = 'a b'", "store.namespace", "letters, digits"),
        ("[store]\nredis_url = 'http://h/'", "store.redis_url", "redis://, rediss:// or unix://"),
        ("[embedded]\nport = 70000", "embedded.port", "less than or equal to 65535"),
        ("[embedded]\nmaxmemory = 'lots'", "embedded.maxmemory", "a number of bytes in quotes"),
        ("[rpc]\nunix_mode = '600'", "rpc.unix_mode", "four octal digits"),
        ("[jobs]\ndefault_timeout_s = 9\nmax_timeout_s = 8", "jobs", "at most max_timeout_s (8)"),
        ("store = 3", "store", "should be a section"),
        ("actors = 3", "actors", "should be a list"),
        ("[actors]\ntype = 'sal'", "actors", "each entry begins with [[actors]]"),
        ("actors = ['sal']", "actors.0", "should be a table"),
        ("[jobs]\nreply_ttl_s = '5 minutes'", "jobs.reply_ttl_s", "whole number of seconds"),
        ("[[actors]]\ncount = 1", "actors.0.type", "missing"),
        ("[[actors]]\ntype = 'osiris'", "actors.0.type", "'osis', 'sal', 'v' or 'python'"),
        ("[[actors]]\ntype = 'sal'\ncount = -1", "actors.0.count", "greater than or equal to 0"),
        ("[[actors]]\ntype = 'sal'\nbackoff_min_s = 60.0", "actors.0", "at most backoff_max_s (30)"),
        ("[[actors]]\ntype = 'sal'\n[[actors]]\ntype = 'sal'", "", "'sal' is used twice"),
    ],
)
def test_wrong_value_is_named_with_what_was_expected(tmp_path: Path, text: str, key: str, expected: str) -> None:
    (problem,) = problems_of(write(tmp_path, text))
    assert problem.key == key
    assert expected in problem.expected


def test_all_problems_of_a_file_and_the_environment_are_reported_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, "[jobs]\nreply_ttl_s = 0\n[store]\nnamespac = 'x'\n[[actors]]\ntype = 'sal'\nlanes = 'x'\n")
    problems = problems_of(path, {"HERO_RPC__UNIX_MODE": "rw", "HERO_ACTORS__5__COUNT": "1"})
    assert [(problem.source, problem.line) for problem in problems] == [
        (str(path), 2),
        (str(path), 4),
        (str(path), 7),
        ("HERO_ACTORS__5__COUNT", None),
        ("HERO_RPC__UNIX_MODE", None),
    ]


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("HERO_JOBS__REPLY_TTL_S", "soon", "whole number"),
        ("HERO_JOBS__REPLY_TTL", "3", "unknown key"),
        ("HERO_JOB__REPLY_TTL_S", "3", "unknown key"),
        ("HERO_STORE__REDIS_URL", "h:6379", "redis://"),
        ("HERO_ACTORS__X__COUNT", "1", "no such entry"),
        ("HERO_ACTORS__0", "1", "names an entry"),
        ("HERO_STORE__NAMESPACE__X", "1", "should be text"),
    ],
)
def test_wrong_variable_is_named(variable: str, value: str, expected: str) -> None:
    (problem,) = problems_of(None, {variable: value})
    assert expected in problem.expected
    assert variable in str(problem) or problem.key in variable.lower().replace("__", ".")


@pytest.mark.parametrize("key", ["redis_url", "redis_urls"])
def test_password_in_a_url_is_never_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, f"[store]\n{key} = 'http://user:geheim@h/'\n"), environ={})
    assert "geheim" not in str(caught.value)
    assert key in str(caught.value)


def test_environment_of_an_actor_is_never_shown(tmp_path: Path) -> None:
    text = "[[actors]]\ntype = 'sal'\nenv = { TOKEN = 4711 }\n"
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), environ={})
    assert "TOKEN" in str(caught.value)
    assert "4711" not in str(caught.value)
