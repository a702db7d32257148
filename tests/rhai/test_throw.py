"""`rhai.Throw`: a callback throws a value into its script."""

from __future__ import annotations

from typing import Any

import pytest

import rhai


def throwing(value: Any) -> rhai.Engine:
    def fail() -> None:
        raise rhai.Throw(value)

    return rhai.Engine(functions={"fail": fail})


@pytest.mark.parametrize("value", ["not found: x", 42, None, [1, "a"], {"code": 7}, 1.5, b"ab"])
def test_a_script_catches_the_value_itself(value: Any) -> None:
    assert throwing(value).eval("let r = 0; try { fail() } catch (e) { r = e } r") == value


def test_a_caught_text_is_a_string() -> None:
    assert (
        throwing("not found: x").eval('let r = 0; try { fail() } catch (e) { r = e.contains("not found") } r') is True
    )


def test_an_uncaught_value_is_a_runtime_error_with_its_place() -> None:
    with pytest.raises(rhai.RhaiRuntimeError) as caught:
        throwing({"code": 7}).eval("let x = 1;\n  fail()")

    error = caught.value
    assert (error.kind, error.value, error.line, error.column) == ("ErrorRuntime", {"code": 7}, 2, 3)


def test_a_value_without_a_counterpart_is_a_conversion_error() -> None:
    with pytest.raises(rhai.RhaiConversionError):
        throwing({1, 2}).eval("fail()")


def test_a_script_throws_a_caught_value_again() -> None:
    with pytest.raises(rhai.RhaiRuntimeError, match="gone") as caught:
        throwing("gone").eval("try { fail() } catch (e) { throw e }")

    assert caught.value.value == "gone"


def test_a_subclass_throws_its_value() -> None:
    not_found_throw = type("NotFoundThrow", (rhai.Throw,), {})

    def fail() -> None:
        raise not_found_throw("gone")

    assert rhai.Engine(functions={"fail": fail}).eval("let r = 0; try { fail() } catch (e) { r = e } r") == "gone"
