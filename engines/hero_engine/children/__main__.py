"""Starts a template process: makes room in one piece for what it is about to load, then loads and serves.

`pool.py` runs it: `python -m hero_engine.children DESCRIPTOR BYTES`, with the template's socket to the engine and how
much memory the engine's code takes.
"""

from __future__ import annotations

import sys

from hero_engine.children.large_pages import reserve


def main() -> int:
    """Run the template to its end.

    Returns:
        The exit code.
    """
    room = reserve(int(sys.argv[2]))
    # Imported here, into the room.
    from hero_engine.children.template import run_template

    code = run_template(int(sys.argv[1]))
    del room
    return code


if __name__ == "__main__":
    sys.exit(main())
