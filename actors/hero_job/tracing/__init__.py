"""Spans of jobs for OpenTelemetry: what is recorded, and how it is sent. Off unless the environment names a receiver.

See docs/traces.md and docs/decisions/0017-traces.md.
"""
