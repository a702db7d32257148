"""How single values are written as texts in a job's hash, and how they are read back. Pure.

Used by the codec for whole hashes and by the lanes for the few fields of a claimed job. Invariant: what we write is
read back as it was; what foreign programs write is read as generously as it can be without guessing.
"""

from __future__ import annotations

import orjson

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.limits import DEFAULT_LIMITS
from hero_job.model.fields.shown_values import shown
from hero_job.model.signatures import Signature, signature_tuple


def format_seconds(value: float) -> str:
    """Write seconds, without a fraction if they are whole: programs of the Rust family parse an integer."""
    if type(value) is int:
        return str(value)
    return str(int(value)) if value == int(value) else repr(float(value))


def parse_timeout(text: str | None) -> float:
    """Read a timeout in seconds, also as serde writes a duration. An absent or empty one, and null, mean the default.

    Raises:
        JobInvalid: Not a number.
    """
    if not text or text == "null":
        return DEFAULT_LIMITS.default_timeout_s
    if text.startswith("{"):
        value = _parse_json("timeout", text)
        if isinstance(value, dict) and isinstance(value.get("secs"), int) and isinstance(value.get("nanos", 0), int):
            return float(value["secs"] + value.get("nanos", 0) / 1e9)
    return parse_seconds("timeout", text)


def parse_seconds(name: str, text: str) -> float:
    """Read a duration in seconds.

    Args:
        name: Field, for the error.
        text: The number.

    Raises:
        JobInvalid: Not a number.
    """
    try:
        return int(text) if text.isascii() and text.isdigit() else float(text)
    except ValueError as e:
        raise JobInvalid(name, f"must be a number of seconds, not {shown(text)}") from e


def parse_whole(name: str, text: str | None) -> int:
    """Read a whole number. An absent or empty one, and null, mean 0.

    Args:
        name: Field, for the error.
        text: The number.

    Raises:
        JobInvalid: Not a whole number.
    """
    try:
        return int(text or 0) if text != "null" else 0
    except ValueError as e:
        raise JobInvalid(name, f"must be a whole number, not {shown(text)}") from e


def parse_env_vars(text: str | None) -> dict[str, str]:
    """Read the JSON object of environment variables. An absent or empty one, and null, mean none.

    Raises:
        JobInvalid: Not a JSON object.
    """
    if not text or text in ("{}", "null"):
        return {}
    value = _parse_json("env_vars", text)
    if not isinstance(value, dict):
        raise JobInvalid("env_vars", "is not a JSON object")
    return {name: v if isinstance(v, str) else orjson.dumps(v).decode() for name, v in value.items()}


def parse_ids(name: str, text: str | None) -> tuple[str, ...]:
    """Read a JSON array of job ids. An absent or empty one, and null, mean none.

    Args:
        name: Field, for the error.
        text: The JSON.

    Raises:
        JobInvalid: Not a JSON array.
    """
    if not text or text in ("[]", "null"):
        return ()
    value = _parse_json(name, text)
    if not isinstance(value, list):
        raise JobInvalid(name, "is not a JSON array")
    return tuple(value)


def parse_texts(name: str, text: str | None) -> tuple[str, ...]:
    """Read a JSON array of texts. An absent or empty one, and null, mean none.

    Args:
        name: Field, for the error.
        text: The JSON.

    Raises:
        JobInvalid: Not a JSON array of texts.
    """
    texts = parse_ids(name, text)
    if not all(isinstance(item, str) for item in texts):
        raise JobInvalid(name, "is not a JSON array of texts")
    return texts


def parse_signatures(text: str | None) -> tuple[Signature, ...]:
    """Read the signatures of a job.

    Signatures in the form of another program count as none: they prove nothing here, and must not make the job
    unreadable.
    """
    try:
        return signature_tuple(orjson.loads(text)) if text else ()
    except (ValueError, JobInvalid):
        return ()


def _parse_json(name: str, text: str) -> object:
    try:
        return orjson.loads(text)
    except ValueError as e:
        raise JobInvalid(name, f"is not JSON: {e}") from e
