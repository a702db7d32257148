"""Text that a TOML reader cannot stand, and files that are none: one problem each, with its file, and no traceback."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hero_config.layers.load import ConfigError, Flag, load_config
from hero_config.layers.places import PlacesUnreadable, find_places
from hero_config.layers.toml_text import MAX_DEPTH
from hero_config.report.config_warnings import find_warnings
from hero_config.report.show import as_json, as_toml

DEEP = f"nested more than {MAX_DEPTH} deep"
LONG = "A number has too many digits"
TEXTS = {
    "lists": ("x = " + "[" * 5000 + "]" * 5000, DEEP),
    "inline tables": ("x = " + "{a = " * 3000 + "1" + "}" * 3000, DEEP),
    "a dotted key": (".".join(["a"] * 3000) + " = 1", DEEP),
    "a header": ("[" + ".".join(["a"] * 3000) + "]\nb = 1", DEEP),
    "one list more": ("x = " + "[" * MAX_DEPTH + "]" * MAX_DEPTH, DEEP),
    "a decimal number": ("[rpc]\nport = " + "1" * 5000, LONG),
    "a hexadecimal number": ("[rpc]\nport = 0x" + "f" * 5000, LONG),
    "a number in a list": ("x = [[0b" + "1" * 20_000 + "]]", LONG),
}


def problems(
    path: Path | None, environ: dict[str, str] | None = None, flags: tuple[Flag, ...] = ()
) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as refused:
        load_config(path, environ=environ or {}, flags=flags)
    return [(problem.source, str(problem)) for problem in refused.value.problems]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("place", ["hero.toml", "conf.d/a.toml"])
def test_a_text_that_is_too_deep_or_too_long_is_one_problem(tmp_path: Path, name: str, place: str) -> None:
    text, expected = TEXTS[name]
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "hero.toml").touch()
    (tmp_path / place).write_text(text)

    [(source, message)] = problems(tmp_path / "hero.toml")

    assert source == str(tmp_path / place)
    assert message == f"{source}: not TOML: {message.partition('not TOML: ')[2]}"
    assert expected in message
    with pytest.raises(PlacesUnreadable, match=expected):
        find_places(tmp_path / "hero.toml", environ={})


@pytest.mark.parametrize("value", ["[" * 5000, "[" * 5000 + "]" * 5000, "1" * 5000, "0x" + "f" * 5000])
@pytest.mark.parametrize("key", ["rpc.port", "rpc.tokens", "jobs.max_script_bytes", "actors.sal.lanes", "nowhere"])
def test_a_variable_or_flag_with_such_a_value_is_one_problem(key: str, value: str) -> None:
    variable = f"HERO_{key.upper().replace('.', '__')}"
    if "__" in variable:
        [(source, message)] = problems(None, {variable: value})
        assert (source, len(message) < 300) == (variable, True)
    [(source, message)] = problems(None, flags=(Flag(option="--set", key=key, text=value),))
    assert (source, len(message) < 300) == ("--set", True)


def test_an_index_of_thousands_of_digits_names_no_entry() -> None:
    variable = f"HERO_ACTORS__{'9' * 5000}__COUNT"
    [(source, message)] = problems(None, {variable: "1"})
    assert source == variable
    assert "no such entry" in message


def directory(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (directory, "cannot be read: Is a directory"),
        (loop, "cannot be read: Too many levels of symbolic links"),
        (dangling, "the file does not exist"),
        (pipe, "is not a file"),
    ],
)
def test_what_is_no_file_in_the_folder_of_drop_ins_is_one_problem(
    tmp_path: Path, make: Callable[[Path], None], expected: str
) -> None:
    (tmp_path / "hero.toml").touch()
    (tmp_path / "conf.d").mkdir()
    make(tmp_path / "conf.d" / "a.toml")

    [(_, message)] = problems(tmp_path / "hero.toml")

    assert message == f"{tmp_path}/conf.d/a.toml: {expected}"


def test_programs_that_look_for_the_store_read_a_config_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "hero.toml"
    path.write_text('\ufeff[store]\nredis_url = "redis://elsewhere:1"\n', "utf-8")

    assert "elsewhere" in str(find_places(path, environ={}))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_lines_are_counted_as_editors_do(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "hero.toml"
    path.write_text(ending.join(["# a\u2028b\u0085c", "[rpc]", 'port = "x"']), "utf-8", newline="")

    [(_, message)] = problems(path)

    assert message.startswith(f"{path}:3: rpc.port")


def test_a_section_where_a_list_belongs_has_the_line_of_its_key(tmp_path: Path) -> None:
    path = tmp_path / "hero.toml"
    path.write_text("[jobs]\nreply_ttl_s = 5\n\n[rpc]\nrights.callers = 1\n")

    [(_, message)] = problems(path)

    assert message.startswith(f"{path}:5: rpc.rights")


def test_an_order_that_a_variable_makes_impossible_is_blamed_on_the_variable() -> None:
    [(source, message)] = problems(None, {"HERO_ACTORS__SAL__AFTER": '["x"]'})
    assert source == "HERO_ACTORS__SAL__AFTER"
    assert "'sal' should start after 'x'" in message


def test_a_path_that_is_too_long_for_a_file_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "hero.toml"
    path.write_text(f'[embedded]\nbinary = "{"x" * 9999}"\n[[actors]]\ntype = "sal"\ncwd = "/{"x" * 9999}"\n')

    config = load_config(path, environ={})

    assert {warning.line for warning in find_warnings(config)} == {2, 5}
    assert as_toml(config)
    assert as_json(config)


def test_a_folder_that_this_user_may_not_look_at_is_no_warning() -> None:
    with tempfile.TemporaryDirectory() as folder:  # that of pytest is closed to other users
        Path(folder).chmod(0o755)
        hidden = Path(folder, "hidden")
        hidden.mkdir()
        path = Path(folder, "hero.toml")
        lines = ["[rpc]", f'tls_cert = "{hidden}/c"', f'tls_key = "{hidden}/k"']
        path.write_text("\n".join([*lines, "[[actors]]", 'type = "sal"', f'cwd = "{hidden}/home"']))
        config = load_config(path, environ={})
        hidden.chmod(0)
        if is_root := os.geteuid() == 0:
            os.seteuid(65534)
        try:
            warnings = [str(warning) for warning in find_warnings(config)]
        finally:
            if is_root:
                os.seteuid(0)
            hidden.chmod(0o700)

    assert not [warning for warning in warnings if "on this machine" in warning]
