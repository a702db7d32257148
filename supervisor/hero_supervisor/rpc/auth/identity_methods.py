"""The methods by which a client authenticates: ``fetch_nonce``, ``authenticate``, ``whoami``.

Invariant: a nonce is good for one attempt, by the key that it was given to, at any supervisor of the namespace.

Source: the authentication of the Rust system's WebSocket server (a nonce, signed by a key of secp256k1). Its documents
do not say what is hashed; here it is the SHA-256 of the nonce's text.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.errors import JobInvalid
from hero_job.model.signatures import MAX_KEY_DIGITS, key_text, verify
from hero_supervisor.rpc.auth.gate import unauthenticated
from hero_supervisor.rpc.auth.scopes import Scope
from hero_supervisor.rpc.auth.session import RpcSession, current
from hero_supervisor.rpc.methods.shapes import Secret
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import STORE_CODES
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError


class Peer(TypedDict):
    """The process at the other end of a Unix socket."""

    uid: int
    gid: int
    pid: int


class Identity(TypedDict):
    """Whom a connection speaks for, and how it has authenticated: "token", "signature", "peer" or null.

    ``peer`` is null over TCP.
    """

    name: str | None
    scope: str
    by: str | None
    peer: Peer | None


_PublicKey = Annotated[
    str, Field(max_length=MAX_KEY_DIGITS, description="Public key of secp256k1, in hex, compressed or not.")
]
_Signature = Annotated[
    str,
    Field(description="Signature of the SHA-256 of the nonce's text, in hex: 64 or 65 bytes, or DER.", max_length=200),
]


async def fetch_nonce(pubkey: _PublicKey) -> str:
    """Return a nonce to sign; it is good for one attempt to authenticate within one minute."""
    session = _lasting(current())
    key = _key(pubkey)
    session.gate.count_nonce(session.peer)
    nonce = secrets.token_hex(32)
    await session.gate.store.run(session.gate.credentials.put_nonce(nonce, key))
    session.nonce = (key, nonce)
    return nonce


async def authenticate(
    token: Annotated[Secret | None, Field(description="A bearer token; or, before a signature, a public key.")] = None,
    signature: _Signature | None = None,
    nonce: Annotated[
        str | None,
        Field(pattern="^[0-9a-f]{64}$", max_length=64, description="By default the last one of this connection."),
    ] = None,
    pubkey: _PublicKey | None = None,
) -> Identity | bool:
    """Authenticate this connection by a bearer token, or by a public key and a signed nonce.

    Returns what whoami returns if you give a token, and true if you give a signature.
    """
    session = _lasting(current())
    if signature is None:
        if token is None or nonce is not None or pubkey is not None:
            raise unauthenticated("give a token, or a public key and a signature")
        await session.authenticate(token)
        return await whoami()
    given = token if pubkey is None else pubkey
    if given is None or (token is not None and pubkey is not None):
        raise unauthenticated("give a token, or a public key and a signature")
    await _authenticate_key(session, _key(given), signature, nonce)
    return True


async def whoami() -> Identity:
    """Return whom this connection speaks for."""
    session = current()
    facts = session.facts
    peer: Peer | None = {"uid": facts["uid"], "gid": facts["gid"], "pid": facts["pid"]} if facts else None
    return {"name": session.name, "scope": session.scope.name.lower(), "by": session.by, "peer": peer}


async def _authenticate_key(session: RpcSession, key: str, signature: str, nonce: str | None) -> None:
    gate = session.gate
    if nonce is None:
        if session.nonce is None or session.nonce[0] != key:
            raise unauthenticated("this connection has no nonce for this key; call fetch_nonce first")
        nonce = session.nonce[1]
    session.nonce = None
    # Taken before the signature is checked: a nonce is good for one attempt, even if the store fails meanwhile.
    if await gate.store.run(gate.credentials.take_nonce(nonce)) != key:
        raise gate.wrong(session.peer, "this nonce is unknown, used, too old, or belongs to another key")
    if not verify(key, _hex(signature), hashlib.sha256(nonce.encode()).digest()):
        raise gate.wrong(session.peer, "this is not the key's signature of the nonce")
    allowed = gate.settings.signature_keys
    if key not in allowed and "*" not in allowed:
        raise gate.wrong(session.peer, "this key may not authenticate; the operator can list it in signature_keys")
    session.become(key, Scope[gate.settings.signature_scope.upper()], "signature")


def _lasting(session: RpcSession) -> RpcSession:
    if not session.lasting:
        text = "a POST has no session to authenticate, because it ends with its answer"
        raise unauthenticated(text, kind="no_session")
    return session


def _key(text: str) -> str:
    try:
        return key_text("pubkey", text)
    except JobInvalid as e:
        raise _invalid("pubkey", e.reason) from None


def _hex(text: str) -> str:
    digits = text.removeprefix("0x").removeprefix("0X")
    try:
        bytes.fromhex(digits)
    except ValueError:
        raise _invalid("signature", "must be in hexadecimal digits") from None
    return digits


def _invalid(param: str, reason: str) -> RpcError:
    hint = f"correct the parameter '{param}'"
    problems = [{"param": param, "problem": reason}]
    text = f"Invalid params: {param}: {reason}"
    return RpcError(ErrorCode.INVALID_PARAMS, text, kind="invalid_params", hint=hint, problems=problems)


def register(dispatcher: Dispatcher) -> None:
    """Register the methods; every transport has sessions."""
    codes = (ErrorCode.UNAUTHENTICATED, ErrorCode.TOO_MANY_ATTEMPTS, *STORE_CODES)
    dispatcher.register("fetch_nonce", fetch_nonce, error_codes=codes)
    dispatcher.register("authenticate", authenticate, error_codes=codes)
    dispatcher.register("whoami", whoami)
