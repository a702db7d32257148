"""The import paths of version 0.1: `hero_job.store` is `hero_job.client.store` now, and so on.

Programs that users wrote for 0.1 go on working, with a `DeprecationWarning` that names the new path. `hero_job` appends
`OldPaths` to `sys.meta_path`; the import system asks it last, only for names that no other finder knows. Invariant: an
old module holds nothing of its own, so a class is the same object under both paths.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from importlib.abc import Loader  # as a base class it would cost each program some milliseconds of import

#: Module of 0.1 -> the modules that have its names now; the first one is named in the warning.
MODULES = {
    "aio": ("client.async_store", "client.cancellation"),
    "batches": ("operations.batches",),
    "claimed": ("model.claim_types",),
    "claims": ("operations.actor_operations", "model.claim_types"),
    "codec": ("protocol.codec", "protocol.replies", "model.fields.spellings", "model.fields.wire_values"),
    "connection": ("client.connection",),
    "credentials": ("operations.credentials",),
    "errors": ("model.errors",),
    "events": ("operations.events",),
    "fields": ("model.fields.checks",),
    "job": ("model.job", "model.builder", "model.fields.routing"),
    "keys": ("protocol.keys",),
    "lua": ("protocol.lua",),
    "op": ("protocol.op",),
    "queues": ("operations.admin_operations",),
    "record": ("model.views",),
    "retention": ("model.retention",),
    "retries": ("model.retries",),
    "schedules": ("operations.schedules",),
    "signatures": ("model.signatures", "model.signing"),
    "status": ("model.status",),
    "store": ("client.store",),
    "streams": ("client.streams",),
    "survey": ("operations.consistency_check",),
    "transfer": ("client.transfer",),
    "url": ("client.url",),
    "values": ("operations.values",),
}
#: Class of 0.1 -> its name now.
CLASSES = {
    "Claims": "ActorOperations",
    "Connection": "StoreConnection",
    "News": "StreamUpdate",
    "Queues": "AdminOperations",
}


class OldPaths:
    """Finds and loads the modules of 0.1; a finder and a loader of the import system."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of 0.1; None for every other name."""
        package, _, name = fullname.rpartition(".")
        if package != __package__ or name not in MODULES:
            return None
        return ModuleSpec(fullname, cast("Loader", cls()))

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system create an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Make a module look its names up where they are now."""
        homes = [f"{__package__}.{home}" for home in MODULES[module.__name__.rpartition(".")[2]]]
        warnings.warn(f"{module.__name__} has moved; import from {homes[0]}", DeprecationWarning, stacklevel=2)

        def look_up(name: str) -> Any:
            if not name.startswith("__"):
                for home in map(import_module, homes):
                    for known in (name, CLASSES.get(name, "")):
                        if hasattr(home, known):
                            return getattr(home, known)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        module.__dict__["__getattr__"] = look_up


def install() -> None:
    """Let programs import by the paths of 0.1."""
    if not any(isinstance(finder, OldPaths) for finder in sys.meta_path):
        sys.meta_path.append(OldPaths())
