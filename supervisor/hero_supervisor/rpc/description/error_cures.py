"""What to do about each error code of JSON-RPC. Pure.

The page docs/reference/error-codes.md has it; `data.hint` of an error says it for the call at hand. What a code means
is written beside it in `protocol/wire.py`. Invariant: every code has a row; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hero_supervisor.rpc.protocol.wire import ErrorCode as Code

#: Markdown, whose links begin in docs/reference.
CURES: Final[Mapping[Code, str]] = {
    Code.INVALID_REQUEST: 'send `"jsonrpc": "2.0"`, `method`, and `id` if you want an answer',
    Code.METHOD_NOT_FOUND: "look up the name in [methods.md](methods.md); an older server may lack it (`version`)",
    Code.INVALID_PARAMS: "the message names the parameter; `rpc.discover` has its type",
    Code.INTERNAL_ERROR: "look into the log of the service, and report it",
    Code.PARSE_ERROR: "send one JSON text per message; in a shell, mind the quotes",
    Code.JOB_NOT_FOUND: "check the id; keep results for longer with `result_ttl_s` and `failure_ttl_s`",
    Code.JOB_CONFLICT: "choose another id, or send the job unchanged",
    Code.JOB_STATE: "read its status first; `stop_job` before `delete_job`",
    Code.JOB_FAILED: "mend the script by [kind](error-kinds.md), line and column; `retry_job` runs it again",
    Code.JOB_DAMAGED: "`heroctl doctor` names the record; `--delete-damaged` deletes it",
    Code.WAIT_TIMEOUT: "wait again, by `wait_jobs`, or read it later by `get_job_output`",
    Code.BATCH_NOT_FOUND: "check the id; batches expire with their jobs",
    Code.SCHEDULE_NOT_FOUND: "`list_schedules` has the names",
    Code.STORE_UNAVAILABLE: "wait until the store is back; repeat the call if its `x-repeat` allows it",
    Code.STORE_REFUSED: "make room in the store, or correct its settings: `heroctl doctor`",
    Code.MESSAGE_TOO_LARGE: "send less in one message, or raise the limit",
    Code.BATCH_TOO_LARGE: "send several smaller batches",
    Code.SHUTTING_DOWN: "connect again in a moment, and repeat the call with the same id",
    Code.ANSWER_TOO_LARGE: "ask for less in one batch",
    Code.TOO_MANY_CONNECTIONS: "close connections that you do not need, or use one for many calls",
    Code.UNAUTHENTICATED: "call `authenticate`, or send the header; `heroctl keys create` makes a token",
    Code.FORBIDDEN: "`whoami` shows scope and binding; the operator gives more by a key",
    Code.TOO_MANY_ATTEMPTS: "correct the token, and try again after `retry_s` of `data`",
    Code.SIGNATURE_REFUSED: "sign the job as it is sent ([security.md](../security.md#signed-jobs))",
    Code.NOT_SUPERVISED: "ask the supervisor of the host; actors of zinit or Kubernetes are theirs to start",
    Code.ACTOR_NOT_FOUND: "`list_actors` and the config have the names",
    Code.ACTOR_ELSEWHERE: "ask the supervisor of that host",
    Code.SCALE_REFUSED: "name an entry, or change its `min` and `max`",
    Code.ROLL_STOPPED: "`heroctl actors logs ENTRY` shows why; correct it and restart again",
    Code.RELOAD_REFUSED: "correct the config (`hero-supervisor config check`), and reload again",
    Code.FUNCTIONS_UNKNOWN: "look into the log of the service; the engine of the entry may be missing",
    Code.PUSH_UNSUPPORTED: "subscribe over the Unix socket or WebSocket",
    Code.TOO_MANY_SUBSCRIPTIONS: "end one by `hero_unsubscribe`, or open another connection",
    Code.SUBSCRIPTION_OVERFLOW: "subscribe again from the last cursor, and read faster or filter more",
    Code.OBJECT_NOT_FOUND: "check type, SID and context; its owner gives rights ([osis.md](../osis.md#rights))",
    Code.OBJECT_CHANGED: "get it again, and change the new version",
}
