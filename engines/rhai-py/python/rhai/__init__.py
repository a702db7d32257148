"""Run Rhai scripts from Python: limits that hold, typed errors, no interpreter lock while a script runs.

Owns the public names; the work is done by the native module `rhai._rhai`. Invariant: an `Engine` and a `Script` are
immutable and safe to share between threads, a `Run` serves one evaluation.
"""

from rhai._errors import (
    CacheInfo,
    Diagnostic,
    Frame,
    Position,
    RhaiCancelledError,
    RhaiConversionError,
    RhaiError,
    RhaiInternalError,
    RhaiLimitError,
    RhaiModuleError,
    RhaiParseError,
    RhaiRuntimeError,
    RhaiTimeoutError,
)
from rhai._rhai import (
    Engine,
    FolderModules,
    Function,
    Limits,
    MemoryModules,
    Run,
    Script,
    Timestamp,
    Usage,
    remaining_s,
)

__version__ = "0.1.0"

__all__ = [
    "CacheInfo",
    "Diagnostic",
    "Engine",
    "FolderModules",
    "Frame",
    "Function",
    "Limits",
    "MemoryModules",
    "Position",
    "RhaiCancelledError",
    "RhaiConversionError",
    "RhaiError",
    "RhaiInternalError",
    "RhaiLimitError",
    "RhaiModuleError",
    "RhaiParseError",
    "RhaiRuntimeError",
    "RhaiTimeoutError",
    "Run",
    "Script",
    "Timestamp",
    "Usage",
    "__version__",
    "remaining_s",
]
