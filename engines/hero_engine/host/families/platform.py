"""The family `platform`: what the machine is, and which programs it has.

Source: crate sal-os 0.1.2, platform.rs, package.rs, download.rs; crate sal-process 0.1.0, mgmt.rs (`which`)
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from pathlib import Path

from hero_engine.errors import FunctionError
from hero_engine.host.definition import Family
from hero_engine.host.programs import PATH

FAMILY = Family("platform", "What the machine is, and which programs it has.")


@FAMILY.function()
def which(command: str) -> str | None:
    """Find a program of the machine; `()` if there is none.

    Example:
        if which("git") == () { throw "git is not installed" }
    """
    if "/" in command or "\0" in command or not command:
        return None
    for folder in PATH.split(":"):
        path = f"{folder}/{command}"
        with contextlib.suppress(OSError, UnicodeEncodeError):
            if Path(path).is_file() and os.access(path, os.X_OK):
                return path
    return None


@FAMILY.function()
def cmd_ensure_exists(commands: str) -> str:
    """Make sure that programs are installed; their names are separated by commas.

    Example:
        cmd_ensure_exists("git, rsync");  // "All commands exist: git, rsync"
    """
    names = [name.strip() for name in commands.split(",") if name.strip()]
    if not names:
        raise FunctionError("No commands specified to check")
    for name in names:
        if which(name) is None:
            raise FunctionError(f"Command not found: {name}")
    return f"Command '{names[0]}' exists" if len(names) == 1 else f"All commands exist: {', '.join(names)}"


@FAMILY.function()
def platform_is_linux() -> bool:
    """Tell whether this is Linux.

    Example:
        platform_is_linux()
    """
    return sys.platform == "linux"


@FAMILY.function()
def platform_is_osx() -> bool:
    """Tell whether this is macOS.

    Example:
        platform_is_osx()
    """
    return sys.platform == "darwin"


@FAMILY.function()
def platform_is_arm() -> bool:
    """Tell whether the processor is a 64-bit ARM.

    Example:
        platform_is_arm()
    """
    return platform.machine() in ("aarch64", "arm64")


@FAMILY.function()
def platform_is_x86() -> bool:
    """Tell whether the processor is a 64-bit x86.

    Example:
        platform_is_x86()
    """
    return platform.machine() in ("x86_64", "AMD64")


@FAMILY.function()
def platform_check_linux_x86() -> None:
    """Fail unless this is Linux on a 64-bit x86.

    Example:
        platform_check_linux_x86();
    """
    if not (platform_is_linux() and platform_is_x86()):
        raise FunctionError("Platform Check Error: This operation is only supported on Linux x86_64.")


@FAMILY.function()
def platform_check_macos_arm() -> None:
    """Fail unless this is macOS on ARM.

    Example:
        try { platform_check_macos_arm(); } catch { print("no Mac") }
    """
    if not (platform_is_osx() and platform_is_arm()):
        raise FunctionError("Platform Check Error: This operation is only supported on macOS ARM.")


@FAMILY.function()
def package_platform() -> str:
    """Name the kind of machine for packages: "Ubuntu", "MacOS" or "Unknown".

    Example:
        package_platform()
    """
    if platform_is_osx():
        return "MacOS"
    with contextlib.suppress(OSError):
        return "Ubuntu" if platform.freedesktop_os_release().get("ID") == "ubuntu" else "Unknown"
    return "Unknown"


@FAMILY.function()
def package_set_debug(on: bool) -> bool:
    """Return the argument. Packages cannot be changed here; existing scripts call this.

    Example:
        package_set_debug(true)
    """
    return on
