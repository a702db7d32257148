"""The family `crypto`: digests, random values, signatures and authenticated encryption.

Invariant: no error text contains a key, and comparisons of secrets take the same time whatever they find.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time

from hero_engine.errors import FunctionError
from hero_engine.host.definition import Family
from hero_engine.host.families.pure.bounds import check_size

FAMILY = Family("crypto", "Digests, random values, signatures and encryption.", prefix="Crypto error: ")

_MAX_RANDOM_BYTES = 1 << 20
_NONCE_BYTES = 12
_KEY_BYTES = 32
#: Cost of a password's key: 16 MiB of memory, and some 50 ms. Source: RFC 7914, section 2
_SCRYPT_COST = 1 << 14


@FAMILY.function()
def sha256(data: str | bytes) -> str:
    """Return the SHA-256 of a text, as UTF-8, or of a blob, in hex.

    Example:
        sha256("abc")
    """
    return hashlib.sha256(_raw(data)).hexdigest()


@FAMILY.function()
def sha384(data: str | bytes) -> str:
    """Return the SHA-384 of a text or blob, in hex.

    Example:
        sha384("abc")
    """
    return hashlib.sha384(_raw(data)).hexdigest()


@FAMILY.function()
def sha512(data: str | bytes) -> str:
    """Return the SHA-512 of a text or blob, in hex.

    Example:
        sha512("abc")
    """
    return hashlib.sha512(_raw(data)).hexdigest()


@FAMILY.function()
def blake2b(data: str | bytes) -> str:
    """Return the BLAKE2b of a text or blob, 64 bytes in hex.

    Example:
        blake2b("abc")
    """
    return hashlib.blake2b(_raw(data)).hexdigest()


@FAMILY.function()
def blake2s(data: str | bytes) -> str:
    """Return the BLAKE2s of a text or blob, 32 bytes in hex.

    Example:
        blake2s("abc")
    """
    return hashlib.blake2s(_raw(data)).hexdigest()


@FAMILY.function()
def hmac_sha256(key: str | bytes, data: str | bytes) -> str:
    """Return the HMAC-SHA-256 of a text or blob, in hex.

    Example:
        hmac_sha256("key", "message")
    """
    return hmac.new(_raw(key), _raw(data), "sha256").hexdigest()


@FAMILY.function()
def hmac_sha512(key: str | bytes, data: str | bytes) -> str:
    """Return the HMAC-SHA-512 of a text or blob, in hex.

    Example:
        hmac_sha512("key", "message")
    """
    return hmac.new(_raw(key), _raw(data), "sha512").hexdigest()


@FAMILY.function()
def secure_equals(one: str | bytes, other: str | bytes) -> bool:
    """Compare two secrets in a time that does not depend on where they differ.

    Example:
        secure_equals(hmac_sha256("key", "message"), "00")      // false
    """
    return hmac.compare_digest(_raw(one), _raw(other))


@FAMILY.function()
def random_bytes(count: int) -> bytes:
    """Return random bytes of the operating system, up to 1 MiB.

    Example:
        hex_encode(random_bytes(16))
    """
    if not 0 <= count <= _MAX_RANDOM_BYTES:
        raise FunctionError(f"count must be from 0 to {_MAX_RANDOM_BYTES}")
    return os.urandom(count)


@FAMILY.function()
def random_int(low: int, high: int) -> int:
    """Return a random integer, `low` and `high` included.

    Example:
        random_int(1, 6)
    """
    import secrets

    if low > high:
        raise FunctionError("low is above high")
    return low + secrets.randbelow(high - low + 1)


@FAMILY.function()
def uuid4() -> str:
    """Return a random UUID.

    Example:
        let id = uuid4();
    """
    import uuid

    return str(uuid.uuid4())


@FAMILY.function()
def uuid7() -> str:
    """Return a UUID that begins with the present time, so that later ones sort behind.

    Example:
        let id = uuid7();
    """
    # Source: RFC 9562, section 5.7
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


@FAMILY.function()
def secp256k1_generate() -> dict[str, str]:
    """Make a key pair of secp256k1: a map with `private_key` (32 bytes) and `public_key` (33 bytes), in hex.

    Example:
        let key = secp256k1_generate();
    """
    from coincurve import PrivateKey

    key = PrivateKey()
    return {"private_key": key.to_hex().rjust(64, "0"), "public_key": key.public_key.format().hex()}


@FAMILY.function()
def secp256k1_public(private: str) -> str:
    """Return the public key of a private key of secp256k1, in hex.

    Example:
        secp256k1_public(secp256k1_generate().private_key)
    """
    return _secp256k1(private).public_key.format().hex()  # type: ignore[attr-defined, no-any-return]


@FAMILY.function()
def secp256k1_sign(private: str, data: str | bytes) -> str:
    """Sign the SHA-256 of a text or blob. The result has r and s, 64 bytes in hex; s is low.

    Example:
        let signature = secp256k1_sign(secp256k1_generate().private_key, "message");
    """
    signature: bytes = _secp256k1(private).sign_recoverable(_raw(data))  # type: ignore[attr-defined]
    return signature[:64].hex()


@FAMILY.function()
def secp256k1_verify(public: str, data: str | bytes, signature: str) -> bool:
    """Tell whether a signature (64 or 65 bytes, or DER, in hex; s may be high) is one of this key for a text or blob.

    Example:
        let key = secp256k1_generate();
        secp256k1_verify(key.public_key, "message", secp256k1_sign(key.private_key, "message"))      // true
    """
    from coincurve import PublicKey, ecdsa

    raw = _hex(signature, "the signature")
    try:
        parsed = ecdsa.deserialize_compact(raw[:64]) if len(raw) in (64, 65) else ecdsa.der_to_cdata(raw)
        _, low = ecdsa.signature_normalize(parsed)
        return bool(PublicKey(_hex(public, "the public key")).verify(ecdsa.cdata_to_der(low), _raw(data)))
    except ValueError:
        return False


@FAMILY.function()
def ed25519_generate() -> dict[str, str]:
    """Make a key pair of Ed25519: a map with `private_key` and `public_key`, 32 bytes each, in hex.

    Example:
        let key = ed25519_generate();
    """
    private = os.urandom(_KEY_BYTES).hex()
    return {"private_key": private, "public_key": ed25519_public(private)}


@FAMILY.function()
def ed25519_public(private: str) -> str:
    """Return the public key of a private key of Ed25519, in hex.

    Example:
        ed25519_public(ed25519_generate().private_key)
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(_key(private, "the private key"))
    return key.public_key().public_bytes_raw().hex()


@FAMILY.function()
def ed25519_sign(private: str, data: str | bytes) -> str:
    """Sign a text or blob. The result has 64 bytes, in hex.

    Example:
        let signature = ed25519_sign(ed25519_generate().private_key, "message");
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(_key(private, "the private key")).sign(_raw(data)).hex()


@FAMILY.function()
def ed25519_verify(public: str, data: str | bytes, signature: str) -> bool:
    """Tell whether a signature is one of this key for a text or blob.

    Example:
        let key = ed25519_generate();
        ed25519_verify(key.public_key, "message", ed25519_sign(key.private_key, "message"))          // true
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(_key(public, "the public key"))
        key.verify(_hex(signature, "the signature"), _raw(data))
    except (InvalidSignature, ValueError):
        return False
    return True


@FAMILY.function()
def generate_key() -> str:
    """Make a key for `encrypt`: 32 random bytes, in hex.

    Example:
        let key = generate_key();
    """
    return os.urandom(_KEY_BYTES).hex()


@FAMILY.function()
def key_from_password(password: str, salt: str | bytes) -> str:
    """Make a key for `encrypt` of a password, by scrypt with 16 MiB of memory. The salt has at least 8 bytes, and is
    kept with what the key encrypts.

    Example:
        let key = key_from_password("correct horse", "a salt of this deployment");
    """
    raw = _raw(salt)
    if len(raw) < 8:
        raise FunctionError("the salt has less than 8 bytes")
    return hashlib.scrypt(password.encode(), salt=raw, n=_SCRYPT_COST, r=8, p=1, dklen=_KEY_BYTES).hex()


@FAMILY.function()
def encrypt(key: str, data: str | bytes) -> str:
    """Encrypt a text or blob with ChaCha20-Poly1305 and a random nonce, in base64. `decrypt` notices any change. Use
    a key for at most four billion messages.

    Example:
        let key = generate_key();
        decrypt(key, encrypt(key, "secret"))                    // "secret"
    """
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    nonce = os.urandom(_NONCE_BYTES)
    sealed = ChaCha20Poly1305(_key(key, "the key")).encrypt(nonce, _raw(data), None)
    return base64.b64encode(nonce + sealed).decode()


@FAMILY.function()
def decrypt(key: str, sealed: str) -> str:
    """Decrypt a text that `encrypt` has made. It throws if key or text are wrong.

    Example:
        let key = generate_key();
        decrypt(key, encrypt(key, "secret"))                    // "secret"
    """
    try:
        return decrypt_bytes(key, sealed).decode()
    except UnicodeDecodeError:
        raise FunctionError("what was encrypted is no text; use decrypt_bytes") from None


@FAMILY.function()
def decrypt_bytes(key: str, sealed: str) -> bytes:
    """Decrypt a blob that `encrypt` has made. It throws if key or text are wrong.

    Example:
        let key = generate_key();
        decrypt_bytes(key, encrypt(key, random_bytes(8))).len() // 8
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    check_size(sealed)
    cipher = ChaCha20Poly1305(_key(key, "the key"))
    try:
        raw = base64.b64decode(sealed, validate=True)
        return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError):
        raise FunctionError("the key is wrong, or the text was changed") from None


def _secp256k1(private: str) -> object:
    from coincurve import PrivateKey

    try:
        return PrivateKey(_key(private, "the private key"))
    except ValueError:
        raise FunctionError("the private key is outside its range") from None


def _key(text: str, what: str) -> bytes:
    raw = _hex(text, what)
    if len(raw) != _KEY_BYTES:
        raise FunctionError(f"{what} has {len(raw)} bytes instead of {_KEY_BYTES}")
    return raw


def _hex(text: str, what: str) -> bytes:
    check_size(text)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise FunctionError(f"{what} is not in hex") from None


def _raw(data: str | bytes) -> bytes:
    check_size(data)
    return data.encode() if isinstance(data, str) else bytes(data)
