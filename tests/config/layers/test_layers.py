"""The layers of a configuration: which one wins, where each value came from, and the mistakes of all layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero_config.layers.load import Config, ConfigError, Flag, load, load_config
from tests.config.conftest import Lay


def flag(key: str, text: str) -> Flag:
    return Flag(option=f"--set {key}", key=key, text=text)


def origin(config: Config, *path: str | int) -> str:
    return str(config.origin(path)).rpartition("/")[2]


def problems(path: Path, environ: dict[str, str] | None = None, flags: tuple[Flag, ...] = ()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ=environ or {}, flags=flags)
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_later_layer_wins_and_each_value_knows_where_it_came_from(lay: Lay) -> None:
    path = lay(
        "[jobs]\nresult_ttl_s = 1\nfailure_ttl_s = 1\nreply_ttl_s = 1\nmax_redeliveries = 1\n",
        a="[jobs]\nfailure_ttl_s = 2\nreply_ttl_s = 2\nmax_redeliveries = 2\n",
        b="[jobs]\n\nreply_ttl_s = 3\nmax_redeliveries = 3\n",
    )
    environ = {"HERO_JOBS__MAX_REDELIVERIES": "4", "HERO_JOBS__LOG_DIR": "/v"}
    config = load_config(path, environ=environ, flags=[flag("jobs.log_dir", "/f"), flag("jobs.log_dir", "/g")])
    jobs = config.settings.jobs
    assert (jobs.result_ttl_s, jobs.failure_ttl_s, jobs.reply_ttl_s, jobs.max_redeliveries) == (1, 2, 3, 4)
    assert jobs.log_dir == "/g"
    assert [
        origin(config, "jobs", key)
        for key in ("result_ttl_s", "failure_ttl_s", "reply_ttl_s", "max_redeliveries", "log_dir")
    ] == ["hero.toml:2", "a.toml:2", "b.toml:3", "HERO_JOBS__MAX_REDELIVERIES", "--set jobs.log_dir"]
    assert origin(config, "rpc", "port") == "default"
    assert [Path(file).name for file in config.files] == ["hero.toml", "a.toml", "b.toml"]


def test_drop_in_changes_an_entry_by_name_or_type_and_adds_others(lay: Lay) -> None:
    config = load_config(
        lay(
            '[[actors]]\ntype = "sal"\nlanes = 2\nenv = { A = "1" }\n'
            '[[actors]]\ntype = "sal"\nname = "second"\nlanes = 2\n',
            more='[[actors]]\nname = "second"\nlanes = 5\n[[actors]]\ntype = "sal"\ncount = 3\nenv = { B = "2" }\n'
            '[[actors]]\ntype = "python"\n',
        ),
        environ={},
    )
    first, second, third = config.settings.actors
    assert (first.base_name, first.count, first.lanes, first.env) == ("sal", 3, 2, {"A": "1", "B": "2"})
    assert (second.base_name, second.count, second.lanes, second.type) == ("second", 1, 5, "sal")
    assert (third.base_name, third.count) == ("python", 1)
    assert [origin(config, "actors", 0, key) for key in ("lanes", "count")] == ["hero.toml:3", "more.toml:6"]
    assert [origin(config, "actors", 0, "env", key) for key in "AB"] == ["hero.toml:4", "more.toml:7"]
    assert [origin(config, "actors", index, "lanes") for index in (1, 2)] == ["more.toml:3", "more.toml:8"]


def test_drop_in_changes_the_default_actors(lay: Lay) -> None:
    settings = load(lay("", a='[[actors]]\nname = "sal"\ncount = 7\n'), environ={})
    assert [(actor.type, actor.count) for actor in settings.actors] == [("osis", 1), ("sal", 7)]


def test_empty_list_in_a_drop_in_removes_all_entries(lay: Lay) -> None:
    settings = load(lay('[[actors]]\ntype = "v"\n', a="actors = []\n", b='[[actors]]\ntype = "sal"\n'), environ={})
    assert [actor.type for actor in settings.actors] == ["sal"]


def test_any_other_list_replaces_the_earlier_list(lay: Lay) -> None:
    config = load_config(
        lay('[rpc]\nhosts = ["a", "b"]\n', a='[rpc]\nhosts = ["c"]\n'), environ={"HERO_RPC__ORIGINS": '["https://x"]'}
    )
    assert config.settings.rpc.hosts == ("c",)
    assert config.settings.rpc.origins == ("https://x",)
    assert ("rpc", "hosts", 1) not in config.layers.origins


def test_only_visible_toml_files_are_drop_ins(lay: Lay, tmp_path: Path) -> None:
    path = lay("", a="")
    (tmp_path / "conf.d" / "b.toml.bak").write_text("[stor]")
    (tmp_path / "conf.d" / ".c.toml").write_text("[stor]")
    assert len(load_config(path, environ={}).files) == 2


def test_drop_in_folder_that_is_a_file_is_a_problem(lay: Lay, tmp_path: Path) -> None:
    path = lay("")
    (tmp_path / "conf.d").write_text("")
    assert problems(path) == ["conf.d: cannot be read: Not a directory"]


@pytest.mark.parametrize("variable", ["HERO_ACTORS__0__COUNT", "HERO_ACTORS__OSIS__COUNT"])
def test_variable_and_flag_name_an_entry_by_number_or_name(lay: Lay, variable: str) -> None:
    path = lay('[[actors]]\ntype = "osis"\nby_context = true\n[[actors]]\ntype = "sal"\nname = "my-sal"\n')
    settings = load(path, environ={variable: "2"}, flags=[flag("actors.my-sal.env.Mixed", "x")])
    assert (settings.actors[0].count, settings.actors[1].env) == (2, {"Mixed": "x"})


def test_flag_can_set_a_list_of_entries() -> None:
    settings = load(environ={}, flags=[flag("actors", '[{ type = "v", count = 2 }]')])
    assert [(actor.type, actor.count) for actor in settings.actors] == [("v", 2)]


def test_mistakes_of_all_layers_are_reported_together_in_order(lay: Lay) -> None:
    path = lay(
        "[jobs]\nreply_ttl_s = 0\n[store]\nnamespac = 'x'\n",
        a="[rpc]\nport = '80'\nbind = 1\n[[actors]]\nname = 'sall'\ncount = 2\n",
        b="[supervisor]\nsweep_s = 'x'\n",
        c="[supervisor]\nlease_s = yes\nsweep_s = 'y'\n",
    )
    environ = {"HERO_RPC__UNIX_MODE": "rw", "HERO_JOB__REPLY_TTL_S": "3"}
    assert problems(path, environ, (flag("actors.sal.lane", "3"), flag("jobs.log_dirs", "x"))) == [
        "hero.toml:2: jobs.reply_ttl_s = 0: should be greater than or equal to 1",
        "hero.toml:4: store.namespac = 'x': unknown key (did you mean 'store.namespace'?)",
        "conf.d/a.toml:2: rpc.port = '80': should be a whole number, without quotes",
        "conf.d/a.toml:3: rpc.bind = 1: should be text, in quotes",
        "conf.d/a.toml:4: actors.0: there is no entry 'sall' to change, and a new one needs a type"
        " (did you mean 'sal'?)",
        "conf.d/b.toml:2: supervisor.sweep_s = 'x': should be a number of seconds",
        "conf.d/c.toml:2: not TOML at column 11: Invalid value; text needs quotes, and a key may appear only once",
        "HERO_JOB__REPLY_TTL_S: job.reply_ttl_s = '3': unknown key (did you mean 'jobs.reply_ttl_s'?)",
        "HERO_RPC__UNIX_MODE: rpc.unix_mode = 'rw': should be four octal digits in quotes: \"0600\"",
        "--set actors.sal.lane: actors.sal.lane = '3': unknown key (did you mean 'actors.sal.lanes'?)",
        "--set jobs.log_dirs: jobs.log_dirs = 'x': unknown key (did you mean 'jobs.log_dir'?)",
    ]


def test_mistake_is_reported_even_if_a_later_layer_replaces_the_value(lay: Lay) -> None:
    path = lay("[jobs]\nreply_ttl_s = 'x'\n", a="[jobs]\nreply_ttl_s = 3\n")
    assert problems(path) == ["hero.toml:2: jobs.reply_ttl_s = 'x': should be a whole number of seconds"]


def test_missing_file_does_not_hide_the_mistakes_of_its_drop_ins(lay: Lay) -> None:
    path = lay("", a="[jobs]\nreply_ttl_s = 0\n[[actors]]\nname = 'of-the-other-file'\ncount = 3\n")
    path.unlink()
    assert problems(path) == [
        "hero.toml: the file does not exist",
        "conf.d/a.toml:2: jobs.reply_ttl_s = 0: should be greater than or equal to 1",
    ]


def test_disagreement_between_layers_is_blamed_on_the_last_of_them(lay: Lay) -> None:
    path = lay("[jobs]\nmax_timeout_s = 100\ndefault_timeout_s = 50\n", a="[jobs]\ndefault_timeout_s = 200\n")
    assert problems(path) == ["conf.d/a.toml:2: jobs: default_timeout_s (200) should be at most max_timeout_s (100)"]
    path = lay('[[actors]]\ntype = "v"\n', a="", b='[[actors]]\nname = "x"\ntype = "sal"\nafter = ["y"]\n')
    assert problems(path)[0].startswith(
        "conf.d/b.toml:1: actors: 'x' should start after 'y', but no entry has that name"
    )


def test_two_entries_with_one_name_in_one_drop_in_are_a_mistake(lay: Lay) -> None:
    path = lay("actors = []\n", a='[[actors]]\ntype = "sal"\n[[actors]]\ntype = "sal"\n')
    assert problems(path) == ["conf.d/a.toml:3: actors: the name 'sal' is used twice; give one of them another name"]


def test_variable_with_one_underscore_too_few_is_noted_and_not_refused() -> None:
    config = load_config(
        environ={"HERO_STORE_REDIS_URL": "redis://h/", "HERO_STORE_NAME": "x", "HERO_RPC_PORT": "tcp://10.0.0.1:80"}
    )
    assert config.settings.store.redis_url == ""
    (note,) = config.notes
    assert str(note) == (
        "HERO_STORE_REDIS_URL: has no effect: two underscores must follow the section"
        " (did you mean 'HERO_STORE__REDIS_URL'?)"
    )
