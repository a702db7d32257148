"""The path under which programs know how errors are explained; `output/error_messages.py` does it."""

from hero_ctl.output.error_messages import ErrorMessage, explain

__all__ = ["ErrorMessage", "explain"]
