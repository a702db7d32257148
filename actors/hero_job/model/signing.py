"""The canonical form of a job, which is what its signatures cover, and signing by a secp256k1 key. Pure.

Submitters sign with it; the server verifies with it. Invariant: equal jobs have equal canonical forms.

Source: that jobs are signed over a canonical form, and the names of the fields: documents of the Rust system.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, Field, fields, replace
from typing import Any, Final

from hero_job.model.job import Job
from hero_job.model.signatures import Signature

_ALWAYS: Final = frozenset({"id", "caller_id", "context_id", "script", "script_type", "timeout"})
#: Fields that a submitter cannot sign: the signatures themselves, and the batch, which the runtime sets.
_NEVER: Final = frozenset({"signatures", "batch"})


def signed_bytes(job: Job) -> bytes:
    """Return the canonical form of a job, whose SHA-256 is signed.

    It is a JSON object in UTF-8 with sorted names and without white space. It contains id, caller_id, context_id,
    script, script_type and timeout, and every other field of the submitter that differs from its default, except the
    batch.
    """
    form: dict[str, Any] = {}
    for field in fields(job):
        value = getattr(job, field.name)
        if field.name in _NEVER:
            continue
        if field.name in _ALWAYS or value != _default(field):
            form[field.name] = int(value) if isinstance(value, float) and value.is_integer() else value
    return json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _default(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


def sign_job(job: Job, secret: bytes) -> Job:
    """Return the job with one more signature.

    Args:
        job: A complete job: a later change, also one by a server, invalidates the signature.
        secret: The private key, 32 bytes.
    """
    from coincurve import PrivateKey

    key = PrivateKey(secret)
    own = Signature(key.public_key.format().hex(), key.sign(signed_bytes(job)).hex())  # its hash is SHA-256
    return replace(job, signatures=(*job.signatures, own))
