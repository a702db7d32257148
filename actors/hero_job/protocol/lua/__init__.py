"""The Lua scripts, one per transition, loaded as data. Only they write a job's status.

Each file is one script; its header states its guarantee, keys, arguments, answer and transitions. The parts that it
shares with others (`parts/`) go in front of it. If it has a line `-- PARTS`, only the first of them does; the others go
there, so that jobs that end before that line do not pay for their functions. Constants are replaced by their values:
the key parts of `keys.py` by their names there, the camelCase names of `spellings.py` (`FOREIGN_SCRIPT_TYPE` for
`scriptType`), the fields that are stored only if they are set as `OPTIONAL_FIELDS`, those in which two jobs with one id
may differ as `NOT_COMPARED`, and the options as `OPTION_FIELDS`; `ALWAYS_STORED` are the names of the other fields of
a submitter, each with its argument of `create.lua`, and `FIRST_NAME` is the argument behind those. So no script spells
any of them.

All files are read with this module, so that a process never runs scripts of two versions if the installation changes
below it. A script is put together when it is first sent: most programs send few of them.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from hero_job.model.fields.spellings import CAMEL_CASE, FOREIGN_NAME
from hero_job.model.job import JOB_FIELDS
from hero_job.protocol.keys import KeyPart

_FOLDER = Path(__file__).parent
_OPTIONAL_FIELDS = ", ".join(f"'{field.name}'" for field in JOB_FIELDS if not field.always_stored and field.identifies)
_NOT_COMPARED = ", ".join(f"{field.name} = true" for field in JOB_FIELDS if not field.identifies)
#: The argument of `create.lua` that has the first value of a field.
_FIRST_VALUE = 10
_ALWAYS_NAMES = [field.name for field in JOB_FIELDS if field.always_stored and field.name != "id"]
_ALWAYS_STORED = [f"'{name}', ARGV[{place}]" for place, name in enumerate(_ALWAYS_NAMES, _FIRST_VALUE)]
_ROUTE = frozenset({"group", "instance"})
_OPTION_NAMES = [f.name for f in JOB_FIELDS if f.is_option or (not f.always_stored and f.name not in _ROUTE)]
_OPTION_FIELDS = ", ".join(f"'{name}'" for name in [*_OPTION_NAMES, FOREIGN_NAME["log_path"]])
_CONSTANTS = {
    **{part.name: f"'{part.value}'" for part in KeyPart},
    **{f"FOREIGN_{name.upper()}": f"'{foreign}'" for foreign, name in CAMEL_CASE.items()},
    "OPTIONAL_FIELDS": f"{{ {_OPTIONAL_FIELDS} }}",
    "NOT_COMPARED": f"{{ {_NOT_COMPARED} }}",
    "OPTION_FIELDS": f"{{ {_OPTION_FIELDS} }}",
    "ALWAYS_STORED": ", ".join(["'id', ARGV[2]", *_ALWAYS_STORED]),
    "FIRST_NAME": str(_FIRST_VALUE + len(_ALWAYS_STORED)),
}
_TOKEN = re.compile(r"--.*|'(?:[^'\\]|\\.)*'|\b[A-Z_]{3,}\b")


class LuaScript:
    """One script: its source with its shared parts, and the digest by which the server knows it.

    Args:
        name: Name of the file, without its ending.
        source: What EVAL sends.

    Attributes:
        name: Name of the file, without its ending.
        source: What EVAL sends.
        sha: SHA-1 of the source in hex, what EVALSHA sends.
    """

    __slots__ = ("_pieces", "name", "sha", "source")
    _pieces: tuple[str, ...]
    name: str
    source: str
    sha: str

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self._set_source(source)

    @classmethod
    def of_pieces(cls, name: str, pieces: tuple[str, ...]) -> LuaScript:
        """Make a script that is put together when it is first used.

        Args:
            name: Name of the file, without its ending.
            pieces: Its texts in their order, with the names of constants. Each consists of whole lines.
        """
        script = cls.__new__(cls)
        script.name = name
        script._pieces = pieces
        return script

    def __getattr__(self, attribute: str) -> str:
        # Only called while a slot is empty, so a script that was sent before costs no call.
        if attribute not in ("source", "sha"):
            raise AttributeError(attribute)
        self._set_source("".join(map(_with_constants, self._pieces)))
        return self.source if attribute == "source" else self.sha

    def _set_source(self, source: str) -> None:
        self.source = source
        # The server names scripts by SHA-1; it protects nothing. Source: redis.io/commands/evalsha
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


@cache
def _read_part(name: str) -> str:
    return (_FOLDER / "parts" / f"{name}.lua").read_text("utf-8")


def _load(name: str, *parts: str) -> LuaScript:
    early, line, rest = (_FOLDER / f"{name}.lua").read_text("utf-8").rpartition("-- PARTS\n")
    texts = [_read_part(part) for part in parts]
    texts.insert(1 if line else 0, early)
    return LuaScript.of_pieces(name, (*texts, rest))


@cache
def _with_constants(text: str) -> str:
    # Cached, because the scripts share most of their text.
    return _TOKEN.sub(_constant, text)


def _constant(token: re.Match[str]) -> str:
    # Literals, since each local variable that functions use costs every run of the script.
    return _CONSTANTS.get(token.group(), token.group())


_ENDING = ("time", "spellings", "damage", "batches", "foreign", "queue", "counts", "limits", "ending")

CREATE = _load("create", *_ENDING)
START = _load("start", *_ENDING)
TURN = _load("turn", *_ENDING, "attempts")
RELEASE = _load("release", *_ENDING)
RECOVER = _load("recover", *_ENDING, "attempts")
STOP = _load("stop", *_ENDING)
PROMOTE = _load("promote", *_ENDING)
END_FOREIGN = _load("end_foreign", *_ENDING)
RETRY = _load("retry", *_ENDING, "attempts")
DELETE = _load("delete", *_ENDING)
PURGE = _load("purge", *_ENDING)
PRESENCE = _load("presence", "time", "damage", "queue", "counts")
PAUSE = _load("pause", "time")
RESUME = _load("resume")
LOG = _load("log", "damage")
TICKS = _load("ticks", "time")
TICK = _load("tick")
EXPIRED = _load("expired", "time")
CLOCK = _load("clock", "time", "spellings", "damage", "batches", "foreign")
ACTORS = _load("actors")
PAGE = _load("page")
QUEUE_STATUS = _load("queue_status")
QUEUE_HEAD = _load("queue_head")
OPEN_BATCH = _load("open_batch", "time", "damage", "batches")
SHRINK_BATCH = _load("shrink_batch", *_ENDING)
NOTE_ACTOR_EVENT = _load("note_actor_event", "damage")
SET_VALUE = _load("set_value", "time", "values")
ADD_TO_VALUE = _load("add_to_value", "time", "values")
GET_VALUE = _load("get_value", "time", "values")
EXPIRE_VALUE = _load("expire_value", "time", "values")
DELETE_VALUE = _load("delete_value", "time", "values")
VALUE_NAMES = _load("value_names", "time", "values")
STREAM_EDGES = _load("stream_edges")
JOB_FACTS = _load("job_facts")
PUT_SCHEDULE = _load("put_schedule")
DELETE_SCHEDULE = _load("delete_schedule")
PUT_OBJECT = _load("put_object", "objects")
DELETE_OBJECT = _load("delete_object", "objects")
READ_OBJECTS = _load("read_objects", "objects")
FIND_OBJECTS = _load("find_objects", "objects")
OBJECT_HISTORY = _load("object_history", "objects")
PUT_ACL = _load("put_acl", "objects")
_SELECTION = ("time", "spellings", "damage", "batches", "foreign", "selection")
LIST_JOBS = _load("list_jobs", *_SELECTION, "walks")
SEARCH_JOBS = _load("search_jobs", *_SELECTION)

ALL = (
    CREATE, START, TURN, RELEASE, RECOVER, STOP, PROMOTE, RETRY, END_FOREIGN, DELETE,
    PRESENCE, CLOCK, PURGE, PAUSE, RESUME, LOG, TICKS, TICK, EXPIRED, ACTORS, PAGE,
    QUEUE_STATUS, QUEUE_HEAD, OPEN_BATCH, SHRINK_BATCH, NOTE_ACTOR_EVENT, SET_VALUE, ADD_TO_VALUE, GET_VALUE,
    EXPIRE_VALUE, DELETE_VALUE, VALUE_NAMES,
    STREAM_EDGES, JOB_FACTS, PUT_SCHEDULE, DELETE_SCHEDULE, PUT_OBJECT, DELETE_OBJECT, READ_OBJECTS, FIND_OBJECTS,
    OBJECT_HISTORY, PUT_ACL, LIST_JOBS, SEARCH_JOBS,
)  # fmt: skip

#: What acknowledges something to a client: with `wait_replicas` it is acknowledged when the replicas have it.
REPLICATED = frozenset(
    {
        CREATE, START, TURN, STOP, RETRY, DELETE, PURGE, OPEN_BATCH, SET_VALUE, ADD_TO_VALUE, DELETE_VALUE,
        PUT_SCHEDULE, DELETE_SCHEDULE, PUT_OBJECT, DELETE_OBJECT, PUT_ACL,
    }
)  # fmt: skip
