"""Signatures of secp256k1 in every form that clients write, and the canonical form of a job that they are made over."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hero_job import Job, JobBuilder, JobInvalid
from hero_job.model.fields.wire_values import parse_signatures
from hero_job.model.signatures import (
    MAX_SIGNATURES,
    Signature,
    key_text,
    signature_tuple,
    verify,
)
from hero_job.model.signing import sign_job, signed_bytes
from hero_job.protocol.codec import decode_record, encode_job
from tests.keypair import ORDER, KeyPair, OpensslKey, digest, openssl_accepts

ALICE, BOB = KeyPair(7), KeyPair(8)
#: Known to all who use the curve: the public key of the number 1.
GENERATOR = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"


def a_job(**fields: Any) -> Job:
    full = {"id": "j1", "caller_id": "a", "context_id": "b", "script": "1", "script_type": "sal", **fields}
    return Job.from_fields(full)


# Signatures


@pytest.mark.parametrize("form", ["der", "compact", "recoverable", "high"])
def test_a_signature_in_any_form_is_valid_only_for_its_key_and_message(form: str) -> None:
    signature = getattr(ALICE, form)("a message")

    assert verify(ALICE.public, signature, digest("a message"))
    assert verify(ALICE.uncompressed, signature, digest("a message"))
    assert not verify(ALICE.public, signature, digest("another message"))
    assert not verify(BOB.public, signature, digest("a message"))


def test_the_high_form_of_s_differs_from_the_low_form() -> None:
    assert int(ALICE.high("m")[64:], 16) > ORDER // 2 > int(ALICE.compact("m")[64:], 16)


def test_signatures_made_by_openssl_are_valid(tmp_path: Path) -> None:
    key = OpensslKey(tmp_path)

    assert all(verify(key.public, key.der(f"message {n}"), digest(f"message {n}")) for n in range(8))
    assert not verify(key.public, key.der("m"), digest("n"))
    assert key_text("pubkey", key.uncompressed) == key.public


def test_openssl_accepts_our_signatures(tmp_path: Path) -> None:
    job = sign_job(a_job(script='print("grüße")'), ALICE.secret)
    (own,) = job.signatures

    assert openssl_accepts(tmp_path, ALICE.uncompressed, own.signature, signed_bytes(job))
    assert not openssl_accepts(tmp_path, BOB.uncompressed, own.signature, signed_bytes(job))


@pytest.mark.parametrize(
    "signature",
    ["00" * 64, "ff" * 64, "00" * 65, "30" * 70, "3006020101020101", f"{1:064x}{ORDER:064x}", "00" * 8],
)
def test_bytes_that_are_no_signature_are_invalid_and_raise_nothing(signature: str) -> None:
    assert not verify(ALICE.public, signature, digest("m"))


def test_no_signature_is_valid_for_a_key_that_is_not_on_the_curve() -> None:
    assert not verify("02" + "00" * 31 + "05", ALICE.der("m"), digest("m"))


def test_a_key_has_one_spelling() -> None:
    assert KeyPair(1).public == key_text("pubkey", GENERATOR.upper()) == key_text("pubkey", KeyPair(1).uncompressed)


@pytest.mark.parametrize(
    "value", ["", "02", "0x" + "00" * 32, "05" + "00" * 32, "04" + "11" * 64, "06" + "11" * 64, 7, None, "zz" * 33]
)
def test_a_value_that_is_no_key_is_refused(value: object) -> None:
    with pytest.raises(JobInvalid, match="public key"):
        key_text("pubkey", value)


def test_the_cryptographic_library_is_loaded_only_with_the_first_verification() -> None:
    code = (
        "import sys, hero_job.model.signatures, hero_job.client.async_store\n"
        "import hero_supervisor.rpc.tcp.server, hero_supervisor.rpc.unix.server\n"
        "assert 'coincurve' not in sys.modules\n"
        f"good = hero_job.model.signatures.verify({ALICE.public!r}, {ALICE.der('m')!r}, {digest('m')!r})\n"
        "assert good\n"
        "assert 'coincurve' in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


# The canonical form


def test_the_canonical_form_is_sorted_compact_json_of_the_fields() -> None:
    job = a_job(
        script="1 + 1\n", timeout=30, env_vars={"ß": "ü", "A": '"'}, retries=2, prerequisites=["p"], delay_s=0.5,
        priority="high",
    )  # fmt: skip
    independent = (
        '{"caller_id":"a","context_id":"b","delay_s":0.5,"env_vars":{"A":"\\"","ß":"ü"},"id":"j1",'
        '"prerequisites":["p"],"priority":"high","retries":2,"script":"1 + 1\\n","script_type":"SAL","timeout":30}'
    )

    assert signed_bytes(job) == independent.encode()
    # By `sha256sum`.
    assert hashlib.sha256(signed_bytes(job)).hexdigest() == (
        "e72c21f09613f1dad5b158733d10d51893c054ebc94a10efb1710059639b7bb2"
    )


def test_the_canonical_form_of_a_plain_job_has_six_fields_and_a_whole_timeout() -> None:
    form = json.loads(signed_bytes(a_job(timeout=30.0)))

    assert form == {
        "id": "j1", "caller_id": "a", "context_id": "b", "script": "1", "script_type": "SAL", "timeout": 30,
    }  # fmt: skip
    assert b'"timeout":30}' in signed_bytes(a_job(timeout=30.0))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "j2"}, {"caller_id": "x"}, {"context_id": "x"}, {"script": "2"}, {"script_type": "osis"}, {"timeout": 1},
        {"env_vars": {"A": "1"}}, {"retries": 1}, {"group": "g"}, {"not_before": "2026-11-24T06:00:00Z"},
        {"run_after_failure": True}, {"concurrent": True}, {"unique_key": "k"}, {"dependents": ["d"]},
        {"log_path": "l"}, {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
    ],
)  # fmt: skip
def test_changing_any_field_of_the_submitter_invalidates_a_signature(change: dict[str, Any]) -> None:
    signature = ALICE.der(signed_bytes(a_job()))

    assert verify(ALICE.public, signature, digest(signed_bytes(a_job())))
    assert not verify(ALICE.public, signature, digest(signed_bytes(a_job(**change))))


def test_the_batch_and_the_signatures_are_not_signed() -> None:
    job = a_job()

    assert signed_bytes(replace(job, batch="b1")) == signed_bytes(job)
    assert signed_bytes(sign_job(job, ALICE.secret)) == signed_bytes(job)


# The field of a job


def test_signatures_are_read_in_both_spellings_and_written_in_one() -> None:
    signature = ALICE.der("m").upper()
    job = a_job(signatures=[{"pubkey": ALICE.uncompressed, "signature": signature}])
    flat = encode_job(job)
    stored = flat[flat.index("signatures") + 1]

    assert json.loads(stored) == [{"public_key": ALICE.public, "signature": signature.lower()}]
    assert decode_record("j1", dict(zip(flat[::2], flat[1::2], strict=True))).job == job
    assert a_job(signatures=[{"public_key": ALICE.public, "signature": signature}]) == job


def test_two_keys_can_sign_one_job() -> None:
    job = sign_job(sign_job(a_job(), ALICE.secret), BOB.secret)

    assert [one.public_key for one in job.signatures] == [ALICE.public, BOB.public]
    assert all(verify(one.public_key, one.signature, digest(signed_bytes(job))) for one in job.signatures)


def test_the_builder_takes_signatures() -> None:
    one = Signature(ALICE.public, ALICE.der("m"))
    builder = JobBuilder().caller_id("a").context_id("b").script("1").script_type("sal")

    assert builder.signatures([one]).build().signatures == (one,)


@pytest.mark.parametrize(
    "value",
    [
        "x",
        {"public_key": "x"},
        [1],
        [{"public_key": ALICE.public}],
        [{"public_key": ALICE.public, "pubkey": ALICE.public, "signature": "00" * 64}],
        [{"public_key": ALICE.public, "signature": "00" * 64, "algorithm": "ed25519"}],
        [{"public_key": ALICE.public, "signature": "xyz"}],
        [{"public_key": "00", "signature": "00" * 64}],
        [{"public_key": key, "signature": "00" * 64} for key in (ALICE.public, ALICE.uncompressed)],
        [{"public_key": KeyPair(n).public, "signature": "00" * 64} for n in range(1, MAX_SIGNATURES + 2)],
    ],
)  # fmt: skip
def test_values_that_are_no_signatures_are_refused_by_the_name_of_the_field(value: object) -> None:
    with pytest.raises(JobInvalid) as refused:
        signature_tuple(value)

    assert refused.value.field == "signatures"


@pytest.mark.parametrize("text", ["{", '[{"key": "x", "algorithm": "ed25519"}]', "7", '"x"'])
def test_foreign_signatures_in_the_store_count_as_none(text: str) -> None:
    fields = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "sal", "signatures": text}

    assert parse_signatures(text) == ()
    assert decode_record("j", fields).job.signatures == ()
