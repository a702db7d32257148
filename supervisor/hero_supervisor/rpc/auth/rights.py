"""Checks the fields of a job before it is created: the rights of its caller in its context, and its signatures. Pure.

``SessionSupervisor`` calls this with each job as it will be stored, on every transport. Invariant: rights and
signatures of a job are checked only here; whether the connection may name this caller is the session's decision.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Sequence

from hero_config.model.settings import RightSettings, RpcSettings
from hero_job import Job
from hero_job.model.errors import JobInvalid
from hero_job.model.signatures import key_text, verify
from hero_job.model.signing import signed_bytes
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError


class Rights:
    """The rights that the configuration grants.

    Args:
        settings: Rights, and the contexts whose jobs must be signed.
    """

    def __init__(self, settings: RpcSettings) -> None:
        self._rights = tuple(_Right(right) for right in settings.rights)
        #: Some contexts accept only signed jobs.
        self.require_signatures = bool(settings.require_signatures)
        self._signed_contexts = _any_of(settings.require_signatures)

    def must_be_signed(self, job: Job) -> bool:
        """Whether the caller must sign this job."""
        return self.is_signed_context(job.context_id)

    def is_signed_context(self, context_id: str) -> bool:
        """Whether a context accepts nothing that its caller has not signed."""
        return self._signed_contexts.fullmatch(context_id) is not None

    def allow_objects(self, caller_id: str, context_id: str) -> bool:
        """Whether a caller may use objects of a context, if the context's own lists allow it."""
        return not self._rights or any(right.covers("osis", context_id, caller_id) for right in self._rights)

    def check(self, job: Job) -> None:
        """Refuse a job that may not be created.

        Args:
            job: With its final id, caller and context.

        Raises:
            RpcError: No right allows it, a signature is wrong, or the caller's signature is missing.
        """
        if self._rights and not any(right.allows(job) for right in self._rights):
            text = (
                f"caller '{job.caller_id:.80}' has no right to {job.script_type} jobs in context '{job.context_id:.80}'"
            )
            hint = "the operator can allow it in rights, in section [rpc] of the configuration"
            raise RpcError(ErrorCode.FORBIDDEN, text, kind="no_right", hint=hint, job_id=job.id)
        if job.signatures:
            digest = hashlib.sha256(signed_bytes(job)).digest()
            for one in job.signatures:
                if not verify(one.public_key, one.signature, digest):
                    raise _wrong(job, one.public_key)
        if self.must_be_signed(job) and _key_of(job.caller_id) not in {one.public_key for one in job.signatures}:
            text = f"a job of context '{job.context_id:.80}' must be signed by its caller"
            hint = "sign its canonical form with the key that caller_id names; see docs/security.md"
            raise RpcError(ErrorCode.SIGNATURE_REFUSED, text, kind="signature_missing", hint=hint, job_id=job.id)


class _Right:
    def __init__(self, right: RightSettings) -> None:
        self._context = _any_of([right.context_id])
        self._suffixes = frozenset[str](right.script_types)
        self._callers = _any_of(right.callers)

    def allows(self, job: Job) -> bool:
        return self.covers(job.script_type.suffix, job.context_id, job.caller_id)

    def covers(self, suffix: str, context_id: str, caller_id: str) -> bool:
        return bool(
            (not self._suffixes or suffix in self._suffixes)
            and self._context.fullmatch(context_id)
            and self._callers.fullmatch(caller_id)
        )


def _wrong(job: Job, public_key: str) -> RpcError:
    text = f"the signature of {public_key} does not match this job"
    hint = "sign the SHA-256 of the job's canonical form, including id, caller and timeout; see docs/security.md"
    return RpcError(
        ErrorCode.SIGNATURE_REFUSED, text, kind="signature_wrong", hint=hint, job_id=job.id, public_key=public_key
    )


def _key_of(caller_id: str) -> str:
    try:
        return key_text("caller_id", caller_id)
    except JobInvalid:
        return caller_id  # not a key, so it equals no signer


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    """Compile patterns, in which * and ? stand for any characters, into one expression.

    The text before the last * is in atomic groups, so a match takes linear time.
    """
    return re.compile("|".join(fnmatch.translate(p.replace("[", "[[]")) for p in patterns) or r"(?!)")
