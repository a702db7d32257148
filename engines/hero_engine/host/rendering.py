"""Renders templates, in a process of its own: a template can ask for any amount of memory and time.

`render` is called by a function; the rest of this module is what the process runs. It has neither files nor variables
of the service, and the kernel bounds its memory and its processor time. Templates include no other files.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
from typing import Any

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call

_MEMORY_BYTES = 512 << 20
_MOST_CPU_S = 3600


def render(call: Call, template: str, variables: dict[str, Any]) -> str:
    """Render a template.

    Args:
        call: The run.
        template: Its text: variables in `{{ }}`, statements in `{% %}`.
        variables: JSON values by name.

    Raises:
        FunctionError: The template is wrong, or needs too much.
        CallEnded: The run must end.
    """
    most = call.rights.max_file_bytes
    cpu_s = math.ceil(min(call.remaining_s, _MOST_CPU_S)) + 1
    try:
        request = json.dumps([template, variables]).encode()
    except (TypeError, ValueError):
        raise FunctionError("Template error: a variable is no plain value") from None
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "hero_engine.host.rendering", str(most), str(cpu_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
    )
    try:
        answer, _ = call.in_thread(lambda: process.communicate(request))
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()
    if answer[:1] == b"+":
        return answer[1:].decode()
    raise FunctionError(f"Template error: {answer[1:].decode() or 'the template needs too much memory or time'}")


def main(most: int, cpu_s: int) -> None:
    """Read a template and its variables from standard input; write `+` and the text, or `-` and the error."""
    import resource

    import minijinja

    template, variables = json.load(sys.stdin)
    for limit, value in ((resource.RLIMIT_AS, _MEMORY_BYTES), (resource.RLIMIT_CPU, cpu_s), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (value, value))
    environment = minijinja.Environment(filters=_FILTERS, finalizer=_shown, auto_escape_callback=lambda _name: False)
    try:
        text = environment.render_str(template, **variables)
    except (minijinja.TemplateError, MemoryError) as e:
        answer = "-" + (str(e).partition("\n")[0] or type(e).__name__)
    else:
        answer = "+" + text if len(text) <= most else f"-the result has more than {most} characters (max_file_bytes)"
    sys.stdout.buffer.write(answer.encode("utf-8", "replace"))
    sys.stdout.flush()
    os._exit(0)


def _shown(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _default(found: object, other: object = "", /, *, value: object = None) -> object:
    if found is not None:
        return found
    return value if value is not None else other


def _replace(text: str, old: str = "", new: str = "", /, **named: str) -> str:
    return str(text).replace(named.get("from", old), named.get("to", new))


def _truncate(text: str, length: int = 255, /, *, end: str = "…", **named: int) -> str:
    most = named.get("length", length)
    return text if len(text) <= most else text[:most] + end


def _slugify(text: str) -> str:
    words = "".join(char if char.isalnum() else " " for char in str(text).lower()).split()
    return "-".join(words)


#: Filters with the names and named arguments of Tera, beside those of Jinja.
_FILTERS: dict[str, Any] = {
    "default": _default,
    "replace": _replace,
    "truncate": _truncate,
    "slugify": _slugify,
    "concat": lambda items, **named: [*items, *(w if isinstance(w := named.get("with"), list) else [w])],
    "get": lambda found, key="", /, **named: found.get(named.get("key", key)),
    "json_encode": lambda value, **_: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
    "nth": lambda items, number=0, /, **named: items[named.get("n", number)],
    "split": lambda text, by=" ", /, **named: text.split(named.get("pat", by)),
    "trim_end": lambda text: text.rstrip(),
    "trim_start": lambda text: text.lstrip(),
    "wordcount": lambda text: len(text.split()),
}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
