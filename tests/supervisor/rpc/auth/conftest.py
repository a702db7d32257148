"""What several tests of authentication need."""

from __future__ import annotations

import pytest

from hero_supervisor.rpc.auth import gate

#: So long no address gets another attempt, however slow the machine is.
ATTEMPT_EVERY_S = 3600.0


@pytest.fixture
def patient_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have servers that start after this keep an address waiting for longer than a test takes."""
    monkeypatch.setattr(gate, "ATTEMPT_EVERY_S", ATTEMPT_EVERY_S)
