"""Has a server compile every Lua script: the exit code is 1 if it refuses one. `judge.py` starts this as a program."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hero_job.client.store import Store
from hero_job.model.errors import StoreRefused
from hero_job.protocol import lua
from hero_job.protocol.op import Op, as_is
from tests.valkey_server import ValkeyServer


def main() -> int:
    """Load them all."""
    scripts = [value for value in vars(lua).values() if isinstance(value, lua.LuaScript)]
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(Path(folder), "--appendonly", "no").start()
        try:
            with Store(server.url) as store:
                for script in scripts:
                    store.run(Op(("SCRIPT", "LOAD", script.source), as_is))
        except StoreRefused:
            return 1
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
