"""A program in the place of `hero`: with the same arguments, exit codes and output, and actions for the tests."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path


def main() -> int:
    (path,) = sys.argv[1:]
    number = 0
    left = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        name, _, rest = line.strip().removeprefix("!!").partition(" ")
        match name:
            case "test.print":
                print(rest.removeprefix("text:").strip("'"), end="")
            case "test.say":
                # herolib's standard output is the result, so messages for people go to standard error.
                print(rest.removeprefix("text:"), file=sys.stderr, flush=True)
            case "test.color":
                print("\x1b[1;32mgreen\x1b[0m \x1b]0;title\x07plain")
            case "test.constant":
                print(os.environ[rest.removeprefix("name:")], end="")
            case "test.environment":
                print(",".join(sorted(os.environ)), end="")
            case "test.where":
                print(Path.cwd(), path, end="")
            case "test.fail":
                print(f"Error: no luck in line {number}", file=sys.stderr)
                return 1
            case "test.endless":
                while True:
                    pass
            case "test.sleep":
                time.sleep(60)
            case "test.abort":
                os.kill(os.getpid(), signal.SIGABRT)
            case "test.flood":
                while True:
                    print("x" * 1_000_000)
            case "test.leave":
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
            case "test.daemon":
                # Daemons do it like this: two forks, and a session of their own.
                file = Path(rest.removeprefix("file:"))
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        file.with_suffix(".new").write_text(str(os.getpid()))
                        file.with_suffix(".new").rename(file)
                        time.sleep(60)
                    os._exit(0)
                os.wait()
                while not file.exists():  # or the daemon may be killed before it has written its pid
                    time.sleep(0.005)
            case "test.nothing":
                pass
            case "play.echo" | "git.list":
                print("echoed")
                left.append(line.strip())
            case _:
                left.append(line.strip())
    if left:
        print("Error: There are actions left to execute, see below:\n\n" + "\n".join(left), file=sys.stderr)
        print("backtrace.v:12: by main", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
