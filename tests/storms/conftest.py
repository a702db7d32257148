"""Fixtures of the storms, and how long they last."""

from __future__ import annotations

import os

#: Set HERO_STORMS to a number to run so many times as many rounds.
ROUNDS = int(os.environ.get("HERO_STORMS", "1"))
