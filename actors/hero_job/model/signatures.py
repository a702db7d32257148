"""Signatures by secp256k1 keys: their type, their spellings, their verification. Pure.

`signing.py` applies them to jobs, authentication to nonces. The cryptographic library is imported on the first
verification. Invariant: a key has one spelling, compressed and in lower case, wherever it is compared or stored.

Source: SEC 1 version 2.0, sections 2.3.3 (keys as octets) and 4.1 (ECDSA); BIP 62 for the low form of s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.shown_values import shown

#: Largest number of signatures on a job: each costs some 50 us to verify.
MAX_SIGNATURES: Final = 64

#: Characters of an uncompressed key, and of the longest signature, with 0x.
MAX_KEY_DIGITS: Final = 132
MAX_SIGNATURE_DIGITS: Final = 162

_KEY: Final = re.compile(r"(?:0[23][0-9a-f]{64}|04[0-9a-f]{128})")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2}){8,80}")
_COMPACT_BYTES: Final = frozenset({64, 65})


@dataclass(frozen=True, slots=True)
class Signature:
    """One key's signature of a job.

    Attributes:
        public_key: The key, compressed, in hex; an uncompressed one is converted.
        signature: In hex: 64 bytes r and s, the same followed by a recovery byte, or DER.

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
        JobInvalid: They cannot be read, or one key has signed twice.
    """
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise JobInvalid("signatures", f"must be a list, not {shown(values)}")
    signatures = tuple(_signature(value) for value in values)
    if len(signatures) > MAX_SIGNATURES:
        raise JobInvalid("signatures", f"are {len(signatures)}; the limit is {MAX_SIGNATURES}")
    if len({one.public_key for one in signatures}) != len(signatures):
        raise JobInvalid("signatures", "list a key twice")
    return signatures


def _signature(value: object) -> Signature:
    if isinstance(value, Signature):
        return value
    if isinstance(value, Mapping):
        given = {"public_key" if name == "pubkey" else name: text for name, text in value.items()}
        if given.keys() == {"public_key", "signature"} and len(given) == len(value):
            return Signature(given["public_key"], given["signature"])
    raise JobInvalid("signatures", f"must be objects with public_key and signature, not {shown(value)}")


def key_text(field: str, value: object) -> str:
    """Convert a public key to its one spelling.

    Args:
        field: Field, for the error.
        value: 33 bytes compressed or 65 uncompressed, in hex of any case, with or without 0x.

    Raises:
        JobInvalid: Not a key.
    """
    text = value.lower().removeprefix("0x") if isinstance(value, str) else ""
    if not _KEY.fullmatch(text):
        raise JobInvalid(
            field, f"must have a public key of secp256k1, 66 or 130 hexadecimal digits, not {shown(value)}"
        )
    if text[1] != "4":
        return text
    # Compression drops y, so a pair that is not on the curve would turn into the point that has its x.
    if not _on_curve(int(text[2:66], 16), int(text[66:], 16)):
        raise JobInvalid(field, "must have a public key of secp256k1: this is not a point of the curve")
    return ("03" if int(text[-1], 16) % 2 else "02") + text[2:66]


def _on_curve(x: int, y: int) -> bool:
    p = 2**256 - 2**32 - 977
    return x < p and y < p and (y * y - x * x * x - 7) % p == 0


def _hex_text(field: str, value: object) -> str:
    text = value.lower().removeprefix("0x") if isinstance(value, str) else ""
    if not _HEX.fullmatch(text):
        raise JobInvalid(field, f"must have a signature in hexadecimal digits, not {shown(value)}")
    return text


def verify(public_key: str, signature: str, digest: bytes) -> bool:
    """Did this key sign this digest?

    Args:
        public_key: In hex, compressed or not.
        signature: In hex: 64 bytes r and s, 65 with a recovery byte, or DER. s may be high or low.
        digest: SHA-256 of the signed bytes.
    """
    from coincurve import PublicKey, ecdsa

    raw = bytes.fromhex(signature)
    try:
        # DER has 64 or 65 bytes only if r or s is some 40 bits short, which practically never happens.
        parsed = ecdsa.deserialize_compact(raw[:64]) if len(raw) in _COMPACT_BYTES else ecdsa.der_to_cdata(raw)
        _, low = ecdsa.signature_normalize(parsed)
        key = PublicKey(bytes.fromhex(public_key))
        return bool(key.verify(ecdsa.cdata_to_der(low), digest, hasher=None))
    except ValueError:
        return False  # not a point of the curve, or r or s out of range
