"""The names that submitters choose: which ids are reserved, and how a name that belongs to a caller is stored. Pure.

Keys of uniqueness, of concurrency and of rate are texts that a submitter chooses. A submitter that is bound to a caller
has a space of its own for them: `reach.py` adds a prefix that is derived from the owner, and answers show the name
without it. Invariant: names of two owners are never equal, and a bound submitter cannot write a name of the common
space.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

import orjson

from hero_job.model.errors import JobInvalid

#: An id that begins with one of these words and a colon could spell the key of something else, or be taken for it.
#: A test compares them with the parts of all keys.
RESERVED_WORDS: Final = frozenset(
    {
        "job",
        "log",
        "batch",
        "values",
        "value_ends",
        "events",
        "q",
        "meta",
        "limit",
        "osis",
        "work_queue",
        "actor_queue",
        "context",
        "reply",
    }
)
# Lower-case letters and a colon, then a digest: nothing in our own programs writes such a key without meaning it.
_SCOPED: Final = re.compile(r"of:[0-9a-f]{40}:(?=.)", re.DOTALL)


def check_new_id(job_id: object) -> None:
    """Refuse an id that no new job may have.

    Args:
        job_id: The id; anything but a text is left to the check of the field.

    Raises:
        JobInvalid: It begins with a reserved word, in any case, and a colon.
    """
    if isinstance(job_id, str) and ":" in job_id:
        word = job_id.partition(":")[0]
        if word.lower() in RESERVED_WORDS:
            raise JobInvalid("id", f"must not begin with '{word}:', which is reserved")


def scoped_name(name: str, caller_id: str, context_id: str | None = None) -> str:
    """Put a name into the space of its owner.

    Args:
        name: As the owner chose it.
        caller_id: The owner.
        context_id: The context, if the space is that of a caller in one context; None for all contexts of the caller.
    """
    # As JSON, because two lists never have the same text, no matter which characters the ids contain.
    owner = orjson.dumps([caller_id] if context_id is None else [caller_id, context_id])
    return f"of:{hashlib.sha256(owner).hexdigest()[:40]}:{name}"


def shown_name(name: str) -> str:
    """Return a stored name as its owner chose it."""
    prefix = _SCOPED.match(name)
    return name if prefix is None else name[prefix.end() :]
