"""Finds and creates the paths that a parameter names. Together with `playbook.files` the only code that uses the file
system.

Source: HeroScript specification, section 9 (get_path).
"""

from __future__ import annotations

from pathlib import Path


def find_path(text: str) -> Path | None:
    """Return a path that exists, where every `~` stands for the home folder; None if it does not exist."""
    path = _expand(text)
    try:
        return path if text and path.exists() else None
    except (OSError, ValueError):
        return None


def create_folder(text: str) -> Path | None:
    """Return a path, created as a folder with its parents if it does not exist; None if that fails."""
    path = _expand(text)
    try:
        if not path.exists():
            path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError):
        return None
    return path if text else None


def _expand(text: str) -> Path:
    return Path(text.replace("~", str(Path.home())) if "~" in text else text)
