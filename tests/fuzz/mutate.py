"""Makes damaged inputs out of good ones. Pure: the same random source gives the same inputs."""

from __future__ import annotations

import random
from collections.abc import Sequence

#: Pieces that parsers treat in a special way.
PIECES = (
    b"",
    b"\0", b"\n", b"\r\n", b" ", b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b":", b",", b"=", b"-1", b"0", b"1e999",
    b"9223372036854775808", b"null", b"true", b"\xff\xfe", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"//", b"/*", b"!!", b"#",
    b"x" * 300,
)  # fmt: skip


def mutated(source: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Damage an input of the corpus: replace, remove, repeat and insert pieces, and splice others in."""
    data = bytearray(source.choice(corpus))
    for _ in range(source.randrange(1, 6)):
        at = source.randrange(len(data) + 1)
        size = source.choice((0, 1, 1, 2, 8, 64))
        match source.randrange(5):
            case 0:
                data[at : at + size] = source.choice(PIECES)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[at : at + size] * source.randrange(1, 20)
            case 3:
                other = source.choice(corpus)
                start = source.randrange(len(other) + 1)
                data[at : at + size] = other[start : start + source.choice((4, 32, 256))]
            case _:
                data[at : at + size] = source.randbytes(size)
    return bytes(data)
