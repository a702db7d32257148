"""Params as dataclasses, JSON and RESP (specification, section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from hero_engine.languages.heroscript import (
    HeroScriptError,
    ParamError,
    Params,
    decode_params,
    encode_params,
    params_from_json,
    params_from_resp,
    params_to_json,
    params_to_resp,
)


@dataclass
class Size:
    cpu: int
    mem: str = "1GB"


@dataclass
class Machine:
    name: str
    number: int
    share: float
    ready: bool
    since: datetime
    tags: list[str]
    ports: list[int]
    flags: list[bool]
    size: Size
    note: str | None
    zone: str = "eu"
    disks: list[str] = field(default_factory=lambda: ["root"])


def test_a_dataclass_is_filled_from_its_parameters() -> None:
    params = Params.parse(
        "name:'web one' number:4_294_967_295 share:50% ready:yes since:2022-12-05 tags:a,'b c' ports:1,2 flags:t,no "
        "size:'cpu:4 mem:8GB' note:hi zone:us disks:a"
    )
    assert decode_params(params, Machine) == Machine(
        name="web one",
        number=4294967295,
        share=0.5,
        ready=True,
        since=datetime(2022, 12, 5, tzinfo=UTC),
        tags=["a", "b c"],
        ports=[1, 2],
        flags=[True, False],
        size=Size(4, "8GB"),
        note="hi",
        zone="us",
        disks=["a"],
    )


def test_missing_parameters_give_the_default_or_the_zero_value() -> None:
    machine = decode_params(Params(), Machine)
    assert machine == Machine("", 0, 0.0, False, datetime.fromtimestamp(0, UTC), [], [], [], Size(0), None)


def test_an_object_survives_encoding_and_decoding() -> None:
    machine = Machine(
        "it's", -1, 0.25, False, datetime(2022, 12, 5, 1, 2, 3, tzinfo=UTC), ["a", "b c"], [1], [True], Size(2), None
    )
    params = encode_params(machine)
    assert params.get("tags") == 'a,"b c"'
    assert not params.exists("note")
    assert decode_params(Params.parse(params_text(params)), Machine) == machine


def params_text(params: Params) -> str:
    from hero_engine.languages.heroscript import export_one_line

    return export_one_line(params)


def test_a_value_that_does_not_fit_its_field_is_a_param_error() -> None:
    for text in ("cpu:many", "cpu:1,2", "cpu:99999999999999999999"):
        with pytest.raises(ParamError):
            decode_params(Params.parse(text), Size)


def test_a_class_that_is_not_a_dataclass_is_a_type_error() -> None:
    for wrong in (lambda: decode_params(Params(), int), lambda: encode_params(3), lambda: encode_params(Size)):
        with pytest.raises(TypeError):
            wrong()


def test_json_has_the_shape_of_the_reference() -> None:
    params = Params.parse("// why\nx:1\n// fast\nfast")
    text = '{"params":[{"key":"x","value":"1","comment":"why"}],"args":["fast"],"comments":["fast"]}'
    assert params_to_json(params) == text
    assert params_to_json(params_from_json(text)) == text
    assert params_from_json("{}").empty()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"params":1}',
        '{"params":[1]}',
        '{"params":[{"key":1}]}',
        '{"params":[{"key":"a-b"}]}',
        '{"args":["-x"]}',
        '{"comments":[1]}',
    ],
)
def test_json_of_another_shape_is_a_heroscript_error(text: str) -> None:
    with pytest.raises(HeroScriptError):
        params_from_json(text)


def test_resp_is_three_arrays() -> None:
    params = Params.parse("x:é fast")
    data = params_to_resp(params)
    assert data == b"*3\r\n*3\r\n$1\r\nx\r\n$2\r\n\xc3\xa9\r\n$0\r\n\r\n*1\r\n$4\r\nfast\r\n*0\r\n"
    again = params_from_resp(data)
    assert (again.params, again.args) == (params.params, params.args)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"*3\r\n",
        b"*2\r\n*0\r\n*0\r\n",
        b"*3\r\n*0\r\n*0\r\n*0\r\nmore",
        b"*3\r\n*1\r\n$1\r\nx\r\n*0\r\n*0\r\n",
        b"*3\r\n*999999999999\r\n",
        b"*3\r\n*1\r\n$999999999999\r\n",
        b"*3\r\n*3\r\n$1\r\n\xff\r\n$0\r\n\r\n$0\r\n\r\n*0\r\n*0\r\n",
        b"*3\r\n*3\r\n$1\r\n-\r\n$0\r\n\r\n$0\r\n\r\n*0\r\n*0\r\n",
        b"$3\r\nabc\r\n",
    ],
)
def test_resp_of_another_shape_is_a_heroscript_error(data: bytes) -> None:
    with pytest.raises(HeroScriptError):
        params_from_resp(data)
