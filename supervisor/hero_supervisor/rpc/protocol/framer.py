"""Splits a stream of bytes into JSON messages by balancing brackets, not by lines. Pure: bytes in, frames out.

The Unix socket's server and client use it. A client may send messages with or without a line feed after them, several
in one packet, pretty-printed, or one byte at a time. Invariants: the frames do not depend on how the stream was cut;
each byte is visited a bounded number of times; memory is bounded by the size limit.

Broken input yields exactly one frame that describes the problem. The kind of problem decides where the next message may
begin:

- *Balanced, but not JSON* (``{"a": }``): an ordinary frame. The parser refuses it; the stream continues after it.
- *Bytes between messages* that cannot begin one (``hello``, a stray ``}``): ``Unframed``. The stream continues at the
  next ``{`` or ``[``, or after the end of the line.
- *Framing lost inside a message*: a bracket closed by the other kind, a line feed inside a string (JSON allows none, so
  a quote is missing), or nesting too deep. ``Unframed``. The stream continues after the end of the line, where a
  message of one line ends. If the broken message already spans several lines, continuing anywhere could run a part of
  it as a request, so the frame is ``Unframed(fatal=True)`` and the framer ignores everything that follows.
- *Over the size limit*: ``Oversized`` as soon as the limit is passed, with the ids of its requests. The rest is
  balanced but not kept, so that a client that is still sending can read the answer, and the stream continues after the
  message. Where the beginning has no id, the end may: then ``Oversized`` comes at the end, or at twice the limit.

The road not taken: answer -32700 and close whenever framing breaks, which would save about 80 lines. But the contract
(tests/supervisor/rpc/unix/test_server.py) promises that a connection survives a message with a missing quote or
bracket.

Source: the stream codec of reth-ipc (separator "empty": collect until brackets balance outside strings) and the
streaming decoder of geth's rpc package, for the input that clients send; RFC 8259 section 7 for strings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from hero_supervisor.rpc.protocol.message_ids import HEAD_BYTES, TAIL_BYTES, Id, ids_in

DEFAULT_MAX_BYTES: Final = 10 * 1024 * 1024
# orjson gives up at 1,024 levels; no valid request has more than ten.
MAX_DEPTH: Final = 512

# All quantifiers are possessive: a match never backtracks, so hostile input costs no more than honest input.
_STRING_INSIDE = rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+'
_PLAIN = rb'[^"{}\[\]]*+(?:"' + _STRING_INSIDE + rb'"[^"{}\[\]]*+)*+'


def _balanced(levels: int) -> bytes:
    """Build the pattern of an object or array with at most ``levels`` levels of brackets."""
    inside = _PLAIN if levels == 1 else _PLAIN + rb"(?:" + _balanced(levels - 1) + _PLAIN + rb")*+"
    return rb"(?:\{" + inside + rb"\}|\[" + inside + rb"\])"


# Most requests match in one step: as a whole message, or as whole parts of a deeper one. Text that matches neither (too
# deep, or cut off by the end of the data) is followed bracket by bracket, and visited again at most once per level of
# the pattern.
_WHOLE_MESSAGE = re.compile(_balanced(4)).match
_WHOLE_PARTS = re.compile(_PLAIN + rb"(?:" + _balanced(2) + _PLAIN + rb")*+").match
_STRING_BODY = re.compile(_STRING_INSIDE).match
# With the bytes of a byte order mark, which some programs write first.
_SPACE = re.compile(rb"[ \t\r\n\xef\xbb\xbf]*+").match
_NEXT_START = re.compile(rb"[\n{\[]").search
# Runs of brackets, so that a megabyte of them takes a few steps and not a million.
_OPENERS = re.compile(rb"[{\[]++").match
_CLOSERS = re.compile(rb"[}\]]++").match
_CLOSER_OF = bytes.maketrans(b"{[", b"}]")
_STARTS = b"{["
_QUOTE, _BACKSLASH = b'"\\'

# The modes say what the next byte belongs to.
_BETWEEN, _GARBAGE, _MESSAGE, _STRING, _REST_OF_LINE, _DEAD = range(6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unframed:
    """Bytes that are not a message. If ``fatal``, the rest of the stream is ignored."""

    reason: str
    fatal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversized:
    """A message longer than ``max_bytes``, which was skipped.

    Attributes:
        max_bytes: The limit.
        is_batch: It is a batch.
        ids: The ids of its requests that were found.
    """

    max_bytes: int
    is_batch: bool = False
    ids: tuple[Id, ...] = ()


Frame: TypeAlias = bytes | Unframed | Oversized


class Framer:
    """The state of one stream: takes the bytes that arrive and returns the frames that they complete."""

    __slots__ = (
        "_buffer", "_dropped_bytes", "_dropping", "_late", "_max_bytes", "_mode", "_open", "_position", "_tail",
        "visited_bytes",
    )  # fmt: skip

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()  # the incomplete message from its first byte on; empty between messages
        self._position = 0  # where in the buffer to continue
        self._open = bytearray()  # the brackets that are open, outermost first
        self._mode = _BETWEEN
        self._dropping = False  # the message is over the limit: balanced, not kept
        self._late: bytes | None = None  # the beginning of a dropped message that has not been answered yet
        self._tail = b""  # the last bytes of that message
        self._dropped_bytes = 0  # how many of its bytes were seen
        self.visited_bytes = 0  #: bytes visited so far, for the test that the work stays linear

    @property
    def within_message(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._mode in {_MESSAGE, _STRING}

    @property
    def awaits_line_end(self) -> bool:
        """Whether framing was lost, so that everything up to the next line feed is ignored."""
        return self._mode == _REST_OF_LINE

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes of the stream.

        Args:
            data: Any number of bytes, cut anywhere.

        Returns:
            The frames that these bytes complete, in the order of the stream; messages without white space around them.
        """
        frames: list[Frame] = []
        text: bytes | bytearray = data
        if self._buffer:
            self._buffer += data
            text = self._buffer
        start, position, end = 0, self._position, len(text)
        while position < end:
            mode = self._mode
            if mode == _BETWEEN:
                position = self._between(text, position, end, frames)
                start = position
            elif mode == _MESSAGE:
                here = _found(_WHOLE_PARTS(text, position)).end()
                self.visited_bytes += here - position + 1
                position = here
                if position < end:
                    start, position = self._bracket_or_quote(text, start, position, frames)
            elif mode == _STRING:
                here = _found(_STRING_BODY(text, position)).end()
                self.visited_bytes += here - position + 1
                position = here
                if position == end or (text[position] == _BACKSLASH and position + 1 == end):
                    break  # the string continues, or the byte after a backslash has not arrived
                if text[position] == _QUOTE:
                    self._mode = _MESSAGE
                    position += 1
                else:
                    reason = "a line feed inside a string; close the string, or write the line feed as \\n"
                    self._lose(reason, text, start, position, frames)
            elif mode == _REST_OF_LINE:
                line_end = text.find(b"\n", position)
                position = end if line_end < 0 else line_end + 1
                self._mode = mode if line_end < 0 else _BETWEEN
            elif mode == _GARBAGE:
                found = _NEXT_START(text, position)
                position = end if found is None else found.start()
                self._mode = mode if found is None else _BETWEEN
            else:
                break
        self._keep(text, start, position, frames)
        return frames

    def _between(self, text: bytes | bytearray, position: int, end: int, frames: list[Frame]) -> int:
        """Take a whole message, or begin a message or garbage; return the position to continue at."""
        first = text[position]
        if first not in _STARTS:
            here = _found(_SPACE(text, position)).end()
            if here == position:
                self._mode = _GARBAGE
                frames.append(Unframed(reason="a message must begin with { or ["))
            return here
        whole = _WHOLE_MESSAGE(text, position)
        if whole is None:
            self.visited_bytes += end - position
            self._mode = _MESSAGE
            return position
        here = whole.end()
        self.visited_bytes += here - position
        if here - position > self._max_bytes:
            frames.append(self._whole_oversized(text, position, here))
        else:
            frames.append(bytes(whole[0]))
        return here

    def _bracket_or_quote(
        self, text: bytes | bytearray, start: int, position: int, frames: list[Frame]
    ) -> tuple[int, int]:
        """Take the run of brackets, or enter the unfinished string, at ``position``; return start and position."""
        byte = text[position]
        if byte == _QUOTE:
            self._mode = _STRING
            return start, position + 1
        if byte in _STARTS:
            run_end = _found(_OPENERS(text, position)).end()
            self._open += text[position:run_end]
            if len(self._open) > MAX_DEPTH:
                self._lose(f"nested deeper than {MAX_DEPTH} levels", text, start, position, frames)
            return start, run_end
        run_end = _found(_CLOSERS(text, position)).end()
        count = min(run_end - position, len(self._open))
        message_end = position + count
        wanted = self._open[: -count - 1 : -1].translate(_CLOSER_OF)
        if text[position:message_end] != wanted:
            # The very bracket, not the start of its run: the size limit must not depend on how the bytes were split.
            wrong = next(i for i in range(count) if text[position + i] != wanted[i])
            self._lose("a bracket is closed by one of the other kind", text, start, position + wrong, frames)
            return start, message_end
        del self._open[-count:]
        if self._open:
            return start, run_end
        self._mode = _BETWEEN
        if self._dropping:
            self._drop(text[start:message_end], frames, ended=True)
            self._dropping = False
        elif message_end - start > self._max_bytes:
            frames.append(self._whole_oversized(text, start, message_end))
        else:
            frames.append(bytes(text[start:message_end]))
        return message_end, message_end

    def _lose(self, reason: str, text: bytes | bytearray, start: int, position: int, frames: list[Frame]) -> None:
        oversized = self._dropping or position - start > self._max_bytes
        if oversized and not self._dropping:
            frames.append(self._oversized(text[start : start + self._head_bytes]))
        elif self._late is not None:
            frames.append(self._oversized(self._late))
            self._late = None
        fatal = oversized or text.find(b"\n", start, position) >= 0
        frames.append(Unframed(reason=reason, fatal=fatal))
        self._open.clear()
        self._dropping = False
        self._mode = _DEAD if fatal else _REST_OF_LINE

    def _keep(self, text: bytes | bytearray, start: int, position: int, frames: list[Frame]) -> None:
        """Keep the incomplete message for the next call; of an oversized one keep only the bytes not yet visited."""
        if not self.within_message:
            self._buffer.clear()
            self._position = 0
            return
        if not self._dropping and len(text) - start > self._max_bytes:
            head = bytes(text[start : start + self._head_bytes])
            frame = self._oversized(head)
            self._late = None if frame.ids or frame.is_batch else head
            if self._late is None:
                frames.append(frame)
            self._dropping, self._tail, self._dropped_bytes = True, b"", 0
        if self._dropping:
            self._drop(text[start:position], frames)
        kept_from = position if self._dropping else start
        if text is self._buffer:
            del self._buffer[:kept_from]
        else:
            self._buffer += text[kept_from:]
        self._position = position - kept_from

    @property
    def _head_bytes(self) -> int:
        # No more than is there when the limit is passed: frames must not depend on how the bytes were split.
        return min(HEAD_BYTES, self._max_bytes)

    def _oversized(self, head: bytes | bytearray, tail: bytes = b"") -> Oversized:
        is_batch, ids = ids_in(bytes(head), tail)
        return Oversized(max_bytes=self._max_bytes, is_batch=is_batch, ids=tuple(ids))

    def _whole_oversized(self, text: bytes | bytearray, start: int, end: int) -> Oversized:
        tail = bytes(text[max(start, end - TAIL_BYTES) : end]) if end - start <= 2 * self._max_bytes else b""
        return self._oversized(text[start : start + self._head_bytes], tail)

    def _drop(self, data: bytes | bytearray, frames: list[Frame], *, ended: bool = False) -> None:
        """Note bytes of the dropped message, and answer it if its end has come or is too far away."""
        if self._late is None:
            return
        self._dropped_bytes += len(data)
        self._tail = (self._tail + bytes(data[-TAIL_BYTES:]))[-TAIL_BYTES:]
        far = self._dropped_bytes > 2 * self._max_bytes
        if ended or far:
            frames.append(self._oversized(self._late, b"" if far else self._tail))
            self._late = None


def _found(match: re.Match[bytes] | None) -> re.Match[bytes]:
    # The patterns used here match the empty string too, or are tried where their first byte is known to be.
    assert match is not None
    return match
