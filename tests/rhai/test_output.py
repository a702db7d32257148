"""Output of `print` and `debug`: collected by a run, or passed to callbacks."""

from __future__ import annotations

import pytest

import rhai


def test_a_run_collects_the_output(engine: rhai.Engine) -> None:
    run = rhai.Run()
    engine.eval('print("a"); debug("b"); print(42); print([1, "x"])', run=run)

    assert run.output == 'a\n"b"\n42\n[1, "x"]\n'
    assert not run.output_truncated
    assert run.usage.output_bytes == len(run.output)


def test_output_beyond_the_limit_is_cut_off_between_characters(engine: rhai.Engine) -> None:
    run = rhai.Run()
    script = 'for i in 0..1000 { print("\u00e9\u00e9\u00e9") } print("!")'
    engine.eval(script, run=run, limits=rhai.Limits(output_bytes=16))

    assert run.output == "\u00e9\u00e9\u00e9\n\u00e9\u00e9\u00e9\n\u00e9"
    assert run.output_truncated
    assert run.usage.output_bytes == 7002


def test_output_without_a_run_is_dropped(engine: rhai.Engine, capfd: pytest.CaptureFixture[str]) -> None:
    engine.eval('print("a"); debug("b")')

    assert capfd.readouterr() == ("", "")


def test_callbacks_get_the_output_with_its_position(engine: rhai.Engine) -> None:
    script = engine.compile('print("a");\n  debug("b");', name="where.rhai")
    printed: list[tuple[str, rhai.Position]] = []
    run = rhai.Run()
    engine.eval(
        script,
        run=run,
        on_print=lambda text, at: printed.append((text, at)),
        on_debug=lambda text, at: printed.append((text, at)),
    )

    assert [text for text, _ in printed] == ["a", '"b"']
    assert [at for _, at in printed] == [("where.rhai", 1, 1), ("where.rhai", 2, 3)]
    assert run.output == ""


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3)])
def test_an_exception_of_a_print_callback_ends_the_script_and_comes_out_unchanged(
    engine: rhai.Engine, error: BaseException
) -> None:
    def on_print(text: str, at: rhai.Position) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        engine.eval('try { print("a"); loop {} } catch { 1 }', on_print=on_print)

    assert caught.value is error
