"""`scripts/mutate`: makes small changes of the code, one at a time, and asks the tests whether they notice."""

from __future__ import annotations

import argparse
import fcntl
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from tests.mutation.asking import warm_up
from tests.mutation.choose import ROOT, Contexts, files_of, mirror_of, sample
from tests.mutation.forks import Forks
from tests.mutation.judge import STATE, Verdict, judge, measure_contexts, restore
from tests.mutation.mutant import Mutant

_EPILOG = """A mutant that survives is equivalent (say why), or shows code that is not needed (delete it), or a test
that is missing. A run that was killed goes on where it stopped, as long as seed, paths and texts stay the same. Run it
in a clone of its own: while a mutant is tried, the work tree has it."""


def main() -> int:
    """Try the chosen mutants and write the report; return the exit code: 0 if none survived."""
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__, epilog=_EPILOG)
    parser.add_argument("paths", nargs="*", type=Path, default=[Path("actors/hero_job")], help="files or folders")
    parser.add_argument("--count", type=int, default=50, help="how many mutants to try (50)")
    parser.add_argument("--seed", type=int, default=1, help="chooses which (1)")
    parser.add_argument(
        "--seconds", type=float, default=60, help="ask so many seconds of the tests that run the line (60)"
    )
    parser.add_argument(
        "--no-folder", action="store_true", help="ask no others; a later run without this asks them about the survivors"
    )
    parser.add_argument(
        "--with",
        dest="more",
        action="append",
        default=[],
        metavar="FOLDER",
        help="ask the tests of this folder as well",
    )
    parser.add_argument("--refresh", action="store_true", help="measure again which tests run which line")
    parser.add_argument("--list", action="store_true", help="only name the chosen mutants")
    asked = parser.parse_args()

    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        try:
            # Two runs in one work tree would put back each other's changes.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            parser.error("another run changes this work tree; wait for its end, or use another clone")
        return _run(parser, asked)


def _run(parser: argparse.ArgumentParser, asked: argparse.Namespace) -> int:
    restore()
    chosen = sample(files_of(asked.paths), asked.count, asked.seed)
    texts = {mutant.path: (ROOT / mutant.path).read_text() for mutant in chosen}
    names = {mutant: mutant.key(texts[mutant.path]) for mutant in chosen}
    if asked.list:
        print(*names.values(), sep="\n")
        return 0
    if changed := _changed(texts):
        parser.error(f"commit first: {', '.join(changed)} would be lost if the run were killed")
    results = STATE / f"seed-{asked.seed}.jsonl"
    _try_all(chosen, names, results, asked)
    known = _read(results)
    return _report([(mutant, known[names[mutant]]) for mutant in chosen], names)


def _changed(paths: Sequence[str] | dict[str, str]) -> list[str]:
    status = ["git", "status", "--porcelain", "--", *paths]
    return subprocess.run(status, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()[1::2]


def _try_all(chosen: Sequence[Mutant], names: dict[Mutant, str], results: Path, asked: argparse.Namespace) -> None:
    # What counts as more than any time: the folder.
    depth = asked.seconds if asked.no_folder else float("inf")
    known = _read(results)
    mutants = [mutant for mutant in chosen if names[mutant] not in known or known[names[mutant]].may_die(depth)]
    folders = sorted({mirror_of(mutant.path)[-1] for mutant in mutants})
    measured = {one: measure_contexts([one], refresh=asked.refresh) for one in dict.fromkeys([*folders, *asked.more])}
    contexts = {
        folder: reduce(Contexts.and_of, (measured[one] for one in asked.more), measured[folder]) for folder in folders
    }
    warm_up(folders)
    with ExitStack() as stack:
        # They collect the tests before the first change.
        forks = {folder: stack.enter_context(Forks(list(dict.fromkeys([folder, *asked.more])))) for folder in folders}
        for number, mutant in enumerate(mutants, 1):
            began_mono = time.monotonic()
            mirror = mirror_of(mutant.path)[-1]
            verdict, by = judge(
                mutant, number, contexts[mirror],
                seconds=asked.seconds, folders=not asked.no_folder, forks=forks[mirror],
            )  # fmt: skip
            with results.open("a") as out:
                line = {"mutant": names[mutant], "verdict": verdict.value, "by": by, "depth": depth}
                out.write(json.dumps(line) + "\n")
            took_s = time.monotonic() - began_mono
            print(f"{number:4} of {len(mutants)}  {took_s:4.0f} s  {verdict.value:9} {names[mutant]:.150}", flush=True)


class Judged(NamedTuple):
    """What is known of one mutant."""

    verdict: Verdict
    by: str
    """The test that noticed."""
    depth: float
    """How many seconds of tests were asked; infinite if those of the folder were."""

    def may_die(self, depth: float) -> bool:
        """Tell whether it survived fewer tests than are asked now."""
        return self.verdict is Verdict.SURVIVED and self.depth < depth


def _read(results: Path) -> dict[str, Judged]:
    lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    return {line["mutant"]: Judged(Verdict(line["verdict"]), line["by"], line["depth"]) for line in lines}


def _report(judged: Sequence[tuple[Mutant, Judged]], names: dict[Mutant, str]) -> int:
    counts = Counter(one.verdict for _, one in judged)
    survivors = [names[mutant] for mutant, one in judged if one.verdict is Verdict.SURVIVED]
    tried = counts[Verdict.KILLED] + counts[Verdict.SURVIVED]
    print(*(f"survived: {name}" for name in survivors), sep="\n")
    print(
        f"{counts[Verdict.KILLED]} of {tried} mutants killed, {len(survivors)} survived, "
        f"{counts[Verdict.BROKEN]} do not compile"
    )
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
