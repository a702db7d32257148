"""The checks of `heroctl doctor` on the embedded store's files and disk, and on the clock of any store.

Called by `doctor.py`. Invariant: they change nothing, also when no store serves.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hero_config.model.settings import Settings
from hero_ctl.commands.checkup.checks import Finding
from hero_job.client.store import Store
from hero_job.model.errors import HeroJobError
from hero_job.operations.store_clock import ClockWatch
from hero_supervisor.errors import StoreDataIncomplete
from hero_supervisor.store.data_files import examine
from hero_supervisor.store.disk_guard import room_of
from hero_supervisor.store.kept_copies import kept_copies


def check_store_files(settings: Settings, base: Path, *, serves: bool) -> Iterator[Finding]:
    """Check the folder of the embedded store.

    Args:
        settings: Where the folder is.
        base: Folder in which the service runs; relative paths begin there.
        serves: A store serves. Its files change then, so they are not compared with each other.
    """
    folder = base / settings.embedded.dir
    if settings.store.redis_url or not folder.is_dir():
        return
    if not serves:
        try:
            examine(folder)
        except StoreDataIncomplete as e:
            cure = "copy the folder, then restore a backup or follow 'incomplete data' in docs/how-to/incidents.md"
            yield Finding.problem("store", f"its data is not complete: {e.reason}", cure)
    room = room_of(folder)
    if room.short:
        text = f"its disk has {room.free:,} bytes left, so it takes no new jobs"
        yield Finding.problem("store", text, f"make room below {folder}, or move [embedded] dir to a larger disk")
    elif room.low:
        yield Finding.warning("store", f"its disk has {room.free:,} bytes left", f"make room below {folder}")
    if kept := kept_copies(folder):
        size = sum(path.stat().st_size for path in kept)
        text = f"{len(kept)} copies of damaged data in {folder / 'damaged'} ({size:,} bytes); newest: {kept[-1].name}"
        cure = "find out what was lost ('damaged data' in docs/how-to/incidents.md), then delete them"
        yield Finding.warning("store", text, cure)


def check_clock(store: Store, namespace: str) -> Iterator[Finding]:
    """Tell when the store's clock was set."""
    try:
        step = store.run(ClockWatch(namespace).last_step())
    except HeroJobError:
        return  # the checks of the jobs say so
    if step is not None:
        way = "forward" if step.step_ms > 0 else "back"
        text = f"the server's clock was set {way} by {abs(step.step_ms) / 1000:.0f} s at {step.at}"
        text += f"; {step.steps} times in all" if step.steps > 1 else ""
        yield Finding.warning("store", text, "have NTP slew the clock (chrony: makestep only at the start)")
