"""The validator of JSON Schema, which is imported only when a test needs it.

Each process of the suite imports all tests, and most of them run none of those that validate something.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import pytest


@functools.cache
def validator() -> Any:
    """Return the class that validates by the draft which OpenRPC follows; it checks no formats of texts."""
    with pytest.MonkeyPatch.context() as patch:
        # jsonschema does without it. It builds the grammars of a format in more than a second.
        patch.setitem(sys.modules, "rfc3987_syntax", None)
        import jsonschema

    return jsonschema.Draft202012Validator
