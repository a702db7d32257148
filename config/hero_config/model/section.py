"""The base class of all sections of the settings, and the types that several of them use.

Owns how strict a section is, and how names may be spelled. Imported only by the modules of this room.
"""

from __future__ import annotations

import contextlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationInfo, field_validator

from hero_config.model.durations import parse_duration

ActorType = Literal["osis", "sal", "v", "python"]
"""The script types that an actor can serve, spelled as in queue names."""

OptionalName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_-]{0,62})?$")]
"""A name that appears in Redis keys, arguments and log fields: letters, digits, `_` and `-`; or empty."""

Namespace = Annotated[str, StringConstraints(pattern=r"^(\{[A-Za-z0-9_.-]{1,64}\}|[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})$")]
"""First part of every Redis key. Braces make it a Cluster hash tag, which keeps a deployment in one slot."""


class Section(BaseModel):
    """Base of every section: frozen, strict about types, and closed to unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, validate_default=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _read_duration(cls, value: Any, info: ValidationInfo) -> Any:
        """Read `10m` where seconds are meant: the names of such keys end in `_s`. A number needs no quotes."""
        if isinstance(value, str) and str(info.field_name).endswith("_s") and value.strip()[-1:].isalpha():
            with contextlib.suppress(ValueError):  # the check of the number says what is expected
                return parse_duration(value)
        return value
