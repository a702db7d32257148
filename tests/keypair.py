"""Keys on secp256k1 for tests, and signatures made with them.

`KeyPair` signs with the library that the product uses; `OpensslKey` signs with the `openssl` command, so that tests do
not compare the library with itself.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from coincurve import PrivateKey, ecdsa

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class KeyPair:
    """A private key with its public key.

    Args:
        number: The private key; the same number gives the same key.

    Attributes:
        secret: The private key, 32 bytes.
        public: The compressed public key, in hexadecimal.
        uncompressed: The uncompressed public key, in hexadecimal.
    """

    def __init__(self, number: int) -> None:
        self.secret = number.to_bytes(32, "big")
        self._key = PrivateKey(self.secret)
        self.public = self._key.public_key.format().hex()
        self.uncompressed = self._key.public_key.format(compressed=False).hex()

    def der(self, message: str | bytes) -> str:
        """Sign the SHA-256 of a message; return the signature as DER, in hexadecimal."""
        return self._key.sign(_bytes(message)).hex()

    def compact(self, message: str | bytes) -> str:
        """Sign; return r and s, 64 bytes, in hexadecimal."""
        signature: bytes = ecdsa.serialize_compact(ecdsa.der_to_cdata(self._key.sign(_bytes(message))))
        return signature.hex()

    def recoverable(self, message: str | bytes) -> str:
        """Sign; return r, s and a recovery byte, 65 bytes, in hexadecimal."""
        return self._key.sign_recoverable(_bytes(message)).hex()

    def high(self, message: str | bytes) -> str:
        """Sign; return the other valid signature, whose s is above half of the order, in hexadecimal."""
        low = self.compact(message)
        return low[:64] + f"{ORDER - int(low[64:], 16):064x}"


class OpensslKey:
    """A key that the `openssl` command made and signs with.

    Args:
        folder: Where the key file is written.

    Attributes:
        public: The compressed public key, in hexadecimal.
        uncompressed: The uncompressed public key, in hexadecimal.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "key.pem"
        self._folder = folder
        _run("ecparam", "-name", "secp256k1", "-genkey", "-noout", "-out", str(self._file))
        self.public = self._public("compressed")[-33:].hex()
        self.uncompressed = self._public("uncompressed")[-65:].hex()

    def _public(self, form: str) -> bytes:
        return _run("ec", "-in", str(self._file), "-pubout", "-conv_form", form, "-outform", "DER")

    def der(self, message: str | bytes) -> str:
        """Sign the SHA-256 of a message; return the signature as DER, in hexadecimal."""
        return _run("dgst", "-sha256", "-sign", str(self._file), data=_bytes(message)).hex()


def openssl_accepts(folder: Path, uncompressed: str, signature_der: str, message: bytes) -> bool:
    """Verify a signature with the `openssl` command.

    Args:
        folder: For temporary files.
        uncompressed: The uncompressed public key, in hexadecimal.
        signature_der: The signature as DER, in hexadecimal.
        message: The signed message.
    """
    # SubjectPublicKeyInfo of an EC key on secp256k1. Source: RFC 5480, section 2; SEC 2, section 2.4.1
    header = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a034200")
    key, signature = folder / "public.der", folder / "signature"
    key.write_bytes(header + bytes.fromhex(uncompressed))
    signature.write_bytes(bytes.fromhex(signature_der))
    command = ["openssl", "dgst", "-sha256", "-verify", str(key), "-keyform", "DER", "-signature", str(signature)]
    return subprocess.run(command, input=message, capture_output=True, check=False).returncode == 0


def _run(*arguments: str, data: bytes | None = None) -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


def digest(message: str | bytes) -> bytes:
    """Return the SHA-256 of a message."""
    return hashlib.sha256(_bytes(message)).digest()
