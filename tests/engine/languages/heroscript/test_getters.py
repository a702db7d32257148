"""Every typed getter (specification, section 9): what it accepts, and the words of its errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hero_engine.languages.heroscript import ParamError, Params, Playbook

PARAMS = Params.parse(
    """
    n:42 neg:-7 und:1_000 big:2147483648 huge:18446744073709551616 word:abc empty:'' f:2.5e3 half:.5 p:75% over:101
    under:'_1' two:1__0 hex:0x1F plus:+5 wide:999999999999999999999999999999999999999 zeros:0000000000000000000000000001
    list:'[ a, "b c" ,, d]' ints:1,-2 bytes:0,255 bad:1,x floats:'1.5, 2e3' hole:'1,,2' text:1.5x bools:'true,t,no'
    mail:' Ann@X.org' mails:'A@b.c,,D@e.f' tel:' +32-475-11 ' tels:'+1-2, +3-4' small:1e-40 vast:1e39
    """
)

INTEGERS = [
    ("get_int", "n", 42),
    ("get_int", "neg", -7),
    ("get_int", "und", 1000),
    ("get_int", "plus", 5),
    ("get_int", "zeros", 1),
    ("get_u8", "n", 42),
    ("get_u32", "big", 2147483648),
    ("get_u64", "big", 2147483648),
    ("get_float", "f", 2500.0),
    ("get_float", "half", 0.5),
    ("get_float", "p", 0.75),
    ("get_percentage", "p", 0.75),
    ("get_percentage", "n", 0.42),
    ("get_list", "list", ["a", "b c", "d"]),
    ("get_list", "empty", []),
    ("get_list_namefix", "list", ["a", "b_c", "d"]),
    ("get_list_int", "ints", [1, -2]),
    ("get_list_i8", "ints", [1, -2]),
    ("get_list_i16", "ints", [1, -2]),
    ("get_list_i64", "ints", [1, -2]),
    ("get_list_u8", "bytes", [0, 255]),
    ("get_list_u16", "bytes", [0, 255]),
    ("get_list_u32", "bytes", [0, 255]),
    ("get_list_u64", "bytes", [0, 255]),
    ("get_list_f64", "floats", [1.5, 2000.0]),
    ("get_list_f32", "floats", [1.5, 2000.0]),
    ("get_list_bool", "bools", [True, True, False]),
    ("get_list_bool", "empty", []),
    ("get_email", "mail", "ann@x.org"),
    ("get_emails", "mails", ["a@b.c", "", "d@e.f"]),
    ("get_telnr", "tel", "3247511"),
    ("get_telnrs", "tels", ["12", "34"]),
]


@pytest.mark.parametrize(("getter", "key", "value"), INTEGERS)
def test_a_getter_reads_what_it_accepts(getter: str, key: str, value: Any) -> None:
    assert getattr(PARAMS, getter)(key) == value


ERRORS = [
    ("get_int", "big", "Parameter big = 2147483648 is not a valid signed 32-bit integer"),
    ("get_int", "under", "is not a valid signed 32-bit integer"),
    ("get_int", "two", "is not a valid signed 32-bit integer"),
    ("get_int", "hex", "is not a valid signed 32-bit integer"),
    ("get_int", "empty", "is not a valid signed 32-bit integer"),
    ("get_int", "wide", "is not a valid signed 32-bit integer"),
    ("get_u8", "und", "Parameter und = 1_000 is not a valid unsigned 8-bit integer"),
    ("get_u32", "plus", "is not a valid unsigned 32-bit integer"),
    ("get_u64", "huge", "is not a valid unsigned 64-bit integer"),
    ("get_float", "word", "Parameter word = abc is not a valid 64-bit float"),
    ("get_float", "text", "is not a valid 64-bit float"),
    ("get_percentage", "over", 'percentage "101" needs to be between 0 and 100'),
    ("get_percentage", "word", "is not a valid 64-bit float"),
    ("get_list_int", "bad", "bad list entry x is not a valid signed 32-bit integer"),
    ("get_list_u16", "ints", "ints list entry -2 is not a valid unsigned 16-bit integer"),
    ("get_list_f64", "bad", "not a number"),
    ("get_list_f64", "text", "extra char after number"),
    ("get_list_f64", "hole", "expected a number found an empty string"),
    ("get_list_f32", "vast", "does not fit 32 bits"),
    ("get_storagecapacity_in_bytes", "half", "does not include a valid unsigned 64-bit integer"),
    ("get_storagecapacity_in_bytes", "huge", "does not include a valid unsigned 64-bit integer"),
    ("get_currencyamount", "word", "not an amount of money"),
    ("get_currencyamount", "empty", "not an amount of money"),
    ("get_time", "word", "Failed to get unix from absolute time: unrecognized date format"),
    ("get_timestamp", "word", "Invalid duration value"),
    ("get_path", "word", "Cannot find path: abc was for key:word"),
    ("get_path", "empty", "Cannot find path: "),
]


@pytest.mark.parametrize(("getter", "key", "message"), ERRORS)
def test_a_getter_refuses_what_it_does_not_accept(getter: str, key: str, message: str) -> None:
    with pytest.raises(ParamError) as caught:
        getattr(PARAMS, getter)(key)
    assert message in str(caught.value)
    assert caught.value.line > 1


GETTERS = sorted(
    name
    for name in dir(Params)
    if name.startswith("get_") and "arg" not in name and name not in ("get_map", "get_from_hashmap")
)


@pytest.mark.parametrize("getter", [name for name in GETTERS if "default" not in name])
def test_every_getter_says_which_key_is_missing(getter: str) -> None:
    with pytest.raises(ParamError, match="Did not find key:no_such in"):
        getattr(PARAMS, getter)("no-such")


@pytest.mark.parametrize("getter", [name for name in GETTERS if name.endswith("_default")])
def test_a_default_applies_only_to_a_missing_key(getter: str) -> None:
    default: Any = {"get_percentage_default": "50%", "get_currencyamount_default": "5EUR"}.get(getter, "2022-12-05")
    if "list" in getter:
        default = []
    expected = {
        "get_percentage_default": 0.5,
        "get_currencyamount_default": (5.0, "EUR"),
        "get_time_default": 1670198400,
    }.get(getter, default)
    assert getattr(PARAMS, getter)("none", default) == expected
    if getter in ("get_default", "get_list_default", "get_list_namefix_default", "get_list_bool_default"):
        assert getattr(PARAMS, getter)("word", default) != default
        return
    with pytest.raises(ParamError):
        getattr(PARAMS, getter)("word", default)


def test_a_bad_default_of_a_text_getter_is_an_error_too() -> None:
    for getter in (PARAMS.get_percentage_default, PARAMS.get_currencyamount_default, PARAMS.get_time_default):
        with pytest.raises(ParamError):
            getter("none", "rubbish x")


def test_small_numbers_survive_rounding_to_32_bits() -> None:
    assert PARAMS.get_list_f32("small") == pytest.approx([1e-40], rel=1e-2)


def test_arguments_are_read_by_number() -> None:
    params = Playbook.parse("!!a.b fast 12 x:1").actions[0].params
    assert params.get_arg(0) == "fast"
    assert params.get_arg_int(1) == 12
    assert params.get_arg_check(1, 2) == "12"
    assert params.get_arg_default(2, "d") == params.get_arg_default(-1, "d") == "d"
    assert params.get_arg_int_default(5, 7) == 7
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: params.get_arg(2), "Looking for arg nr 2, not enough args available."),
        (lambda: params.get_arg(-1), "Looking for arg nr -1"),
        (lambda: params.get_arg_int(0), "failed to convert argument fast to int: "),
        (lambda: params.check_arg_len(1), "the amount of expected args is 1, we found different."),
        (lambda: params.get_arg_check(0, 3), "the amount of expected args is 3"),
    ]
    for call, message in calls:
        with pytest.raises(ParamError) as caught:
            call()
        assert message in str(caught.value)
        assert caught.value.line == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("+1s -1s", 0),
        ("+ 1 h", 3600),
        ("-1d +2w", 13 * 86400),
        ("+1M+1Q+1Y", 485 * 86400),
        ("+2m", 120),
    ],
)
def test_relative_times_sum_their_terms(text: str, seconds: int) -> None:
    params = Params()
    params.set("x", text)
    assert params.get_time("x", now_s=10_000_000) == 10_000_000 + seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("+5x", "relative time: could not parse time suffix for: +5x"),
        ("+h", "could not parse time suffix for: +h"),
        ("+", "could not parse time suffix for: +"),
        ("+99999999999999999999d", "could not parse time suffix"),
        ("a b c", "absolute time: format of date/time not correct"),
        ("2022-12", "unrecognized date format"),
        ("12-5-22", "unrecognized time format"),
        ("2022-12-05 1:2:3:4", "unrecognized time format"),
        ("2022-13-05", "could not parse date/time string"),
        ("2022-12-05 25", "could not parse date/time string"),
        ("2022-1\u0665-05", "could not parse date/time string"),
    ],
)
def test_a_malformed_time_says_why(text: str, message: str) -> None:
    params = Params()
    params.set("x", text)
    with pytest.raises(ParamError) as caught:
        params.get_time("x")
    assert message in str(caught.value)


def test_a_time_of_day_may_default() -> None:
    assert PARAMS.get_timestamp_default("none", timedelta(hours=1)) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "size_bytes", "size_gb"),
    [("1", 1, 1), ("10kb", 10240, 1), ("1025MB", 1025 << 20, 2), ("2 Gb", 2 << 30, 2)],
)
def test_capacities_are_powers_of_1024(text: str, size_bytes: int, size_gb: int) -> None:
    params = Params()
    params.set("x", text)
    assert params.get_storagecapacity_in_bytes("x") == size_bytes
    assert params.get_storagecapacity_in_gigabytes("x") == size_gb


def test_a_capacity_without_unit_is_in_the_unit_of_the_getter() -> None:
    assert Params.parse("x:10").get_storagecapacity_in_gigabytes("x") == 10


@pytest.mark.parametrize("text", ["$5USD", "1.2.3USD", "USD", "12ABCDE"])
def test_a_malformed_amount_is_an_error(text: str) -> None:
    with pytest.raises(ParamError):
        Params.parse(f"x:{text}").get_currencyamount("x")


def test_paths_must_exist_or_are_created(tmp_path: Path) -> None:
    params = Params()
    params.set("x", str(tmp_path / "a" / "b"))
    params.set("home", "~")
    params.set("nul", "a\0b")
    with pytest.raises(ParamError, match="Cannot find path"):
        params.get_path("x")
    assert params.get_path_create("x") == tmp_path / "a" / "b"
    assert params.get_path("x").is_dir()
    assert params.get_path("home") == Path.home()
    (tmp_path / "file").write_text("")
    params.set("x", str(tmp_path / "file" / "below"))
    for key in ("x", "nul"):
        with pytest.raises(ParamError, match="Cannot create path"):
            params.get_path_create(key)


def test_synonyms_stand_for_what_the_caller_says() -> None:
    choices = {"l, Large": "big", "s,small": "tiny"}
    params = Params.parse("x:LARGE y:odd")
    assert params.get_from_hashmap("x", "s", choices) == "big"
    assert params.get_from_hashmap("y", "Small", choices) == "tiny"
    assert params.get_from_hashmap("none", "s", choices) == "tiny"
    with pytest.raises(ParamError, match=r"Did not find key:y in .* with hashmap:.* and default:zzz"):
        params.get_from_hashmap("y", "zzz", choices)


def test_a_bad_value_is_shown_at_its_place_in_the_script() -> None:
    playbook = Playbook.parse("!!a.b\n!!c.d name:x\n\tcpu:lots // why\n", path="vm.hero")
    with pytest.raises(ParamError) as caught:
        playbook.actions[1].params.get_int("cpu")
    error = caught.value
    assert (error.path, error.line, error.column, error.text) == ("vm.hero", 3, 2, "lots")
    assert error.render().split("\n")[1:] == ["    3 |     cpu:lots // why", "      |     ^~~~"]


def test_a_missing_key_comes_with_the_nearest_one() -> None:
    with pytest.raises(ParamError) as caught:
        Playbook.parse("!!a.b memory:1").actions[0].params.get("memroy")
    assert caught.value.hint == "did you mean memory?"
    assert caught.value.line == 1
