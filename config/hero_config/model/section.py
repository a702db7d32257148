"""What all sections of the settings share: their base, and the types that several of them use.

Owned here: how strict a section is, and how names may be spelled. Imported by the modules of settings alone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

ActorType = Literal["osis", "sal", "v", "python"]
"""Script types an actor can serve, as they are spelled in queue names."""

OptionalName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_-]{0,62})?$")]
"""A name that becomes part of Redis keys, arguments and log fields: letters, digits, `_` and `-`; or empty."""

Namespace = Annotated[str, StringConstraints(pattern=r"^(\{[A-Za-z0-9_.-]{1,64}\}|[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})$")]
"""First part of every Redis key; braces make it a Cluster hash tag, which puts a deployment into one slot."""


class Section(BaseModel):
    """Base of every section: frozen, strict about types, and closed to unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, validate_default=True, hide_input_in_errors=True, allow_inf_nan=False
    )
