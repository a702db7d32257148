"""Fixtures of the tests of `hero_job` that the tests of this folder use too."""

from __future__ import annotations

from tests.job.conftest import make_actor, make_job, recoveries

__all__ = ["make_actor", "make_job", "recoveries"]
