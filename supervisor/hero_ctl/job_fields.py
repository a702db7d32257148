"""Makes a job of the options that `run`, `submit` and `schedule add` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hero_ctl import options
from hero_ctl.error_messages import Complaint
from hero_ctl.exits import Exit
from hero_ctl.output import end
from hero_job.model.job import ScriptType


def job_fields(
    script: str,
    *,
    type_: ScriptType,
    caller: str | None,
    context: str,
    timeout: float,
    env: Sequence[str] | None,
    **more: Any,
) -> dict[str, Any]:
    """Collect the fields of a job, as `Job.from_fields` takes them.

    Args:
        script: Source text.
        type_: Which actors run it.
        caller: Who asks; None for the login name.
        context: For which context.
        timeout: Longest run time, in seconds.
        env: Variables as NAME=VALUE.
        more: Other fields by their names; None and empty lists are left out.

    Returns:
        Fields that are not checked yet.
    """
    fields: dict[str, Any] = {
        "script": script,
        "script_type": type_.value,
        "caller_id": caller or options.login_name(),
        "context_id": context,
        "timeout": timeout,
    }
    variables: dict[str, str] = {}
    for pair in env or ():
        name, separator, value = pair.partition("=")
        if not separator:
            end(Complaint(text=f"heroctl: --env takes NAME=VALUE, not '{pair}'", exit=Exit.USAGE))
        variables[name] = value
    if variables:
        fields["env_vars"] = variables
    return fields | {name: value for name, value in more.items() if value is not None and value != []}
