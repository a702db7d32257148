"""The two fields that decide where a job is queued: its script type and its priority. Pure."""

from __future__ import annotations

from enum import StrEnum

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.shown_values import shown


class ScriptType(StrEnum):
    """Which kind of actor runs a script. Written as in the Rust system's enum, read in any case."""

    OSIS = "OSIS"
    SAL = "SAL"
    V = "V"
    PYTHON = "Python"

    @property
    def suffix(self) -> str:
        """The lower-case form that queue names contain."""
        return self.lower()  # a member is its own text, and `value` costs more than the rest

    @classmethod
    def parse(cls, text: object) -> ScriptType:
        """Read a script type in any case.

        Args:
            text: "OSIS", "sal", a ScriptType ...

        Raises:
            JobInvalid: Not the name of a script type.
        """
        found = _BY_NAME.get(text.lower()) if isinstance(text, str) else None
        if found is None:
            known = ", ".join(t.value for t in cls)
            raise JobInvalid("script_type", f"unknown script type {shown(text)}; one of {known}")
        return found


_BY_NAME = {t.value.lower(): t for t in ScriptType}


class Priority(StrEnum):
    """Where in its queue a job goes: HIGH to the front, NORMAL to the end, LOW behind everything else."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"
