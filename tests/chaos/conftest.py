"""The makers of the store's tests serve here too."""

from __future__ import annotations

from tests.job.conftest import make_actor, make_job, recoveries

__all__ = ["make_actor", "make_job", "recoveries"]
