"""The parsers that read foreign input, each with what it promises for every input."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hero_config.layers.load import load
from hero_config.layers.problems import ConfigError
from hero_engine.languages.heroscript import HeroScriptError, Playbook, format_script
from hero_job.model.errors import JobDamaged, JobInvalid
from hero_job.protocol.codec import decode_record, encode_job
from hero_supervisor.rpc.protocol import wire
from hero_supervisor.rpc.protocol.framer import Framer, Oversized, Unframed
from hero_supervisor.rpc.unix.http import NotPosted, Posted, UnixHttp

MAX_BYTES = 4096
_FOLDER = Path(tempfile.mkdtemp(prefix="hero-fuzz-"))


def framing(data: bytes) -> None:
    """The frames are the same no matter how the bytes are split, and each is answered or refused."""
    whole = Framer(MAX_BYTES).feed(data)
    framer = Framer(MAX_BYTES)
    pieces = [frame for at in range(0, len(data), 7) for frame in framer.feed(data[at : at + 7])]
    assert pieces == whole
    for frame in whole:
        if isinstance(frame, bytes):
            wire.parse(frame, max_batch=10)
            wire.check_size(frame)


def http(data: bytes) -> None:
    """Every input ends in requests and refusals, and after a refusal nothing is read."""
    told = bytearray()
    connection = UnixHttp(MAX_BYTES, told.extend)
    frame = connection.feed(data)
    for _ in range(50):
        if frame is None:
            return
        assert isinstance(frame, Posted | NotPosted | Oversized | Unframed)
        connection.respond(b"{}", 200 if isinstance(frame, Posted) else 400)
        if connection.ended:
            return
        frame = connection.feed(b"")


def config(data: bytes) -> None:
    """A file is loaded, or refused with problems that can be shown."""
    path = _FOLDER / "hero.toml"
    path.write_bytes(data)
    try:
        load(path, environ={})
    except ConfigError as e:
        assert str(e)


def heroscript(data: bytes) -> None:
    """A script is read, or refused with an error that can be shown."""
    try:
        Playbook.parse(data.decode(errors="replace"))
        format_script(data.decode(errors="replace"))
    except HeroScriptError as e:
        assert str(e)


def job_hash(data: bytes) -> None:
    """The hash of a job is read, or refused by field; what is read can be written and read again."""
    fields = dict(line.partition("=")[::2] for line in data.decode(errors="replace").split("\n"))
    try:
        record = decode_record("fuzzed", fields)
    except (JobDamaged, JobInvalid) as e:
        assert str(e)
        return
    flat = encode_job(record.job)
    assert encode_job(decode_record("fuzzed", dict(zip(flat[::2], flat[1::2], strict=True))).job) == flat


def rhai(data: bytes) -> None:
    """A script has a value that crosses to Python and back, or an error of the crate."""
    from rhai import Engine, Limits, RhaiError

    limits = Limits(timeout_s=0.2, operations=100_000, memory_bytes=16 << 20)
    engine = Engine(limits=limits, functions={"same": lambda value: value}, cached_scripts=0)
    try:
        value = engine.eval(data.decode(errors="replace"))
        engine.eval("same(VALUE)", constants={"VALUE": value})
    except RhaiError as e:
        assert str(e)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "framing": framing,
    "http": http,
    "config": config,
    "heroscript": heroscript,
    "job_hash": job_hash,
    "rhai": rhai,
}
