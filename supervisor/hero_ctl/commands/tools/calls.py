"""The commands that call the service: whoami, rpc."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from hero_ctl.connect.service import ask_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import OutputOptions, ServiceOptions
from hero_ctl.output.console import echo, fail
from hero_ctl.output.formats import print_record
from hero_ctl.output.tables import print_facts
from hero_ctl.output.visible import json_text
from hero_ctl.parameters import Argument


def whoami(*, output: OutputOptions, service: ServiceOptions) -> None:
    """Show who the service takes you for, and what you may do."""
    identity = ask_supervisor(service, "whoami", {})
    facts = {name: _in_words(value) for name, value in identity.items()}
    print_record(identity, "identity", output.format, lambda: print_facts(facts), name="scope")


def _in_words(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def rpc(
    *,
    method: Annotated[str, Argument(metavar="METHOD", help="Name of the method; rpc.discover describes all.")],
    params: Annotated[
        str, Argument(metavar="PARAMS", help="JSON object or array; - reads it from standard input.")
    ] = "{}",
    service: ServiceOptions,
) -> None:
    """Call a JSON-RPC method of the service, and print its result: a text as it is, everything else as JSON."""
    result = ask_supervisor(service, method, _parse(params))
    echo(result if isinstance(result, str) else json_text(result, indent=2))


def _parse(text: str) -> Any:
    try:
        params = json.loads(sys.stdin.read() if text == "-" else text)
    except json.JSONDecodeError as e:
        fail(f"PARAMS is not JSON: {e}", CtlExitCode.USAGE)
    if not isinstance(params, dict | list):
        fail("PARAMS should be a JSON object or array", CtlExitCode.USAGE)
    return params
