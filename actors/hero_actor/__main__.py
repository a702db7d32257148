"""`python -m hero_actor`: one actor process."""

import sys

from hero_actor.cli import main

if __name__ == "__main__":
    sys.exit(main())
