"""The bound of every wait in these tests."""

GUARD_S = 120.0
"""Seconds. Every effect that the tests wait for comes much earlier, so only a hang reaches this bound."""
