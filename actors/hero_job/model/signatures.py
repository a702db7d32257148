"""Signatures by secp256k1 keys: of jobs, in their canonical form, and of any bytes.

No I/O, and no cost until the first signature: the library behind it is imported then. Invariant: one key has one
spelling, compressed and in lower case, wherever it is compared or stored.

Source: SEC 1 version 2.0, sections 2.3.3 (keys as octets) and 4.1 (ECDSA); BIP 62 for the low form of s. That jobs are
signed over a canonical form, and the names of the fields: documents of the Rust system.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from hero_job.model.errors import JobInvalid

if TYPE_CHECKING:
    from hero_job.model.job import Job

#: Most signatures of one job: each costs its check some 50 us.
MAX_SIGNATURES: Final = 64

_ALWAYS: Final = frozenset({"id", "caller_id", "context_id", "script", "script_type", "timeout"})
#: Not the submitter's to sign: the signatures themselves, and the batch, which the runtime names.
_NEVER: Final = frozenset({"signatures", "batch"})
_KEY: Final = re.compile(r"(?:0[23][0-9a-f]{64}|04[0-9a-f]{128})")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2}){8,80}")
_COMPACT_BYTES: Final = frozenset({64, 65})


@dataclass(frozen=True, slots=True)
class Signature:
    """Somebody's signature of a job.

    Attributes:
        public_key: Whose, in hex, compressed; an uncompressed one is brought into that form.
        signature: In hex: 64 bytes r and s, the same with a recovery byte behind it, or DER.

    Raises:
        JobInvalid: Either cannot be read.
    """

    public_key: str
    signature: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "public_key", key_text("signatures", self.public_key))
        object.__setattr__(self, "signature", _hex_text("signatures", self.signature))


def signature_tuple(values: object) -> tuple[Signature, ...]:
    """Read the signatures of a job.

    Args:
        values: Signatures, or objects with `public_key` (or `pubkey`) and `signature`.

    Raises:
        JobInvalid: They cannot be read, or a key has signed twice.
    """
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise JobInvalid("signatures", f"must be a list, not {values!r:.80}")
    signatures = tuple(_signature(value) for value in values)
    if len(signatures) > MAX_SIGNATURES:
        raise JobInvalid("signatures", f"are {len(signatures)}; the limit is {MAX_SIGNATURES}")
    if len({one.public_key for one in signatures}) != len(signatures):
        raise JobInvalid("signatures", "name a key twice")
    return signatures


def _signature(value: object) -> Signature:
    if isinstance(value, Signature):
        return value
    if isinstance(value, Mapping):
        given = {"public_key" if name == "pubkey" else name: text for name, text in value.items()}
        if given.keys() == {"public_key", "signature"} and len(given) == len(value):
            return Signature(given["public_key"], given["signature"])
    raise JobInvalid("signatures", f"must be objects with public_key and signature, not {value!r:.80}")


def key_text(field: str, value: object) -> str:
    """Bring a public key into its one spelling.

    Args:
        field: For the complaint.
        value: 33 bytes compressed or 65 uncompressed, in hex of any case.

    Raises:
        JobInvalid: It cannot be a key.
    """
    text = value.lower() if isinstance(value, str) else ""
    if not _KEY.fullmatch(text):
        raise JobInvalid(field, f"must have a public key of secp256k1, 66 or 130 hexadecimal digits, not {value!r:.80}")
    if text[1] != "4":
        return text
    # Only a point of the curve is compressed: another one could be taken for the point that its x belongs to.
    if not _on_curve(int(text[2:66], 16), int(text[66:], 16)):
        raise JobInvalid(field, "must have a public key of secp256k1: this is no point of the curve")
    return ("03" if int(text[-1], 16) % 2 else "02") + text[2:66]


def _on_curve(x: int, y: int) -> bool:
    p = 2**256 - 2**32 - 977
    return x < p and y < p and (y * y - x * x * x - 7) % p == 0


def _hex_text(field: str, value: object) -> str:
    text = value.lower() if isinstance(value, str) else ""
    if not _HEX.fullmatch(text):
        raise JobInvalid(field, f"must have a signature in hexadecimal digits, not {value!r:.80}")
    return text


def signed_bytes(job: Job) -> bytes:
    """Give the canonical form of a job: what is hashed by SHA-256 and signed.

    A JSON object in UTF-8 with its names sorted and without white space. It has id, caller_id, context_id, script,
    script_type and timeout, and every other field of the submitter that is not at its default, each as the job has it;
    never the batch.
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


def verify(public_key: str, signature: str, digest: bytes) -> bool:
    """Is this the key's signature?

    Args:
        public_key: In hex, compressed or not.
        signature: In hex: 64 bytes r and s, 65 with a recovery byte behind them, or DER. s may be high or low.
        digest: SHA-256 of what was signed.
    """
    from coincurve import PublicKey, ecdsa

    raw = bytes.fromhex(signature)
    try:
        # A DER of 64 or 65 bytes has an r or s some 40 bits short: a signer that makes one signs again.
        parsed = ecdsa.deserialize_compact(raw[:64]) if len(raw) in _COMPACT_BYTES else ecdsa.der_to_cdata(raw)
        _, low = ecdsa.signature_normalize(parsed)
        key = PublicKey(bytes.fromhex(public_key))
        return bool(key.verify(ecdsa.cdata_to_der(low), digest, hasher=None))
    except ValueError:
        return False  # no point of the curve, or r or s out of range


def sign_job(job: Job, secret: bytes) -> Job:
    """Add a signature to a job.

    Args:
        job: Complete: what is changed afterwards, or filled in by a server, makes the signature wrong.
        secret: The private key, 32 bytes.
    """
    from coincurve import PrivateKey

    key = PrivateKey(secret)
    own = Signature(key.public_key.format().hex(), key.sign(signed_bytes(job)).hex())  # its hash is SHA-256
    return replace(job, signatures=(*job.signatures, own))
