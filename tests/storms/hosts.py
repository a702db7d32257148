"""Two deployments on one store, as on two hosts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.deployment import ACTORS, Deployment, deployed

#: Runs something on the host of that number, and gives what it returns.
RunOn = Callable[[int, Callable[[], Deployment]], Deployment]


@contextlib.contextmanager
def both_deployed(
    folders: Sequence[Path],
    urls: Sequence[str],
    *,
    actors: str = ACTORS,
    lease_s: int = 3,
    run_on: RunOn = lambda _, start: start(),
) -> Iterator[list[Deployment]]:
    """Start both at the same time, and stop them at the end.

    Args:
        folders: Folder of each; it exists.
        urls: URL of the store for each.
        actors: The end of their configs; see `Deployment`.
        lease_s: The lease of their actors; see `Deployment`.
        run_on: Runs the start on its host.
    """
    with contextlib.ExitStack() as ends, ThreadPoolExecutor(2) as pool:
        starting = [
            pool.submit(
                run_on,
                n,
                partial(ends.enter_context, deployed(folders[n], redis_url=urls[n], actors=actors, lease_s=lease_s)),
            )
            for n in range(2)
        ]
        yield [each.result() for each in starting]
