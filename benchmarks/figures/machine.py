"""Describes the machine of a measurement: a figure says nothing without its machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import redis


def describe_machine(client: redis.Redis) -> dict[str, str]:
    """Return CPU, cores, memory, system, Python, server, and the load at the time of the call."""
    server = client.info("server")
    name = "Valkey" if "valkey_version" in server else "Redis"
    version = server.get("valkey_version") or server["redis_version"]
    loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return {
        "cpu": _from_proc("/proc/cpuinfo", "model name") or platform.processor() or "unknown",
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int((_from_proc('/proc/meminfo', 'MemTotal') or '0 kB').split()[0]) / 1024 / 1024:.1f} GiB",
        "system": f"{_system()}, Linux {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "server": f"{name} {version}",
        "load before": f"{loads} (1, 5, 15 minutes)",
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _from_proc(path: str, name: str) -> str | None:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None
