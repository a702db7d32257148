"""The lengths of the texts that a client chooses, and the limits that a deployment sets for jobs. Plain data.

The checks of fields, the parameters of JSON-RPC and its description use them; a test sends one more of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# In characters.
#: Ids of jobs and of batches.
MAX_ID: Final = 200
#: Names of groups, instances and schedules.
MAX_ROUTE: Final = 100
#: Callers, contexts, and keys of uniqueness and of limits, as their owner chose them.
MAX_NAME: Final = 500
#: Words that only certain values match, such as a script type or a status, and times.
MAX_WORD: Final = 100
MAX_PATH: Final = 4096
MAX_VARIABLE_NAME: Final = 200
#: The kernel passes at most 128 KiB in one variable.
MAX_VARIABLE_VALUE: Final = 100_000

# In items.
MAX_VARIABLES: Final = 1000
#: Jobs before, or after, one job. One Lua script visits all of them; MOST_IDS in lua/parts/damage.lua.
MAX_IDS: Final = 1_000
#: Of a list of arguments, and of each.
MAX_TEXTS: Final = 1000
MAX_TEXT_CHARS: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """Limits of a deployment. A job beyond them is refused when it is created.

    Attributes:
        max_script_bytes: Largest script, in bytes of UTF-8.
        max_timeout_s: Largest timeout, in seconds.
        default_timeout_s: Timeout of a job that does not set one, in seconds.
    """

    max_script_bytes: int = 1024 * 1024
    max_timeout_s: float = 86_400
    default_timeout_s: float = 300


DEFAULT_LIMITS = JobLimits()
