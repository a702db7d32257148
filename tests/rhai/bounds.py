"""The bound of every wait in these tests."""

GUARD_S = 30.0
"""Seconds; far above any effect that is waited for, so that only a hang reaches it."""
