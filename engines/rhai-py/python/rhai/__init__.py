"""Run Rhai scripts from Python with enforced limits and typed errors, without holding the interpreter lock.

This module owns the public names; the native module `rhai._rhai` does the work. Invariant: threads may share an
`Engine` and a `Script`, and a `Run` serves one evaluation.
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
    Throw,
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
    builtin_functions,
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
    "Throw",
    "Timestamp",
    "Usage",
    "__version__",
    "builtin_functions",
    "remaining_s",
]
