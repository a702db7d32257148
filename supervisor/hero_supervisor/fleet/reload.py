"""Applies another config while the service runs, and names the settings that need a restart.

Owned here: the steps of a reload, and what the service manager and the log hear about it; `merge` is pure. The fleet
calls this for a signal or an RPC. Invariants: a config with an error changes nothing; settings that are in use (an open
socket, the store, the lease that all actors share) never change partly: they stay as they are, and are named.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from hero_config.layers.problems import ConfigError
from hero_config.model.settings import Settings
from hero_supervisor.errors import ReloadRefused
from hero_supervisor.fleet.fleet import FleetChanges
from hero_supervisor.systemd.notify import Notifier

log = logging.getLogger(__name__)

#: What a running service can change, by section. Nothing of the other sections can change, except `actors`.
_CHANGEABLE = {
    "supervisor": frozenset(
        {"log_level", "log_format", "log_to", "log_file", "log_max_bytes", "log_keep", "shutdown_s"}
    )
}


def merge(running: Settings, loaded: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Take from a config what can change while the service runs.

    Args:
        running: The settings in use.
        loaded: The settings of the config.

    Returns:
        The settings to go on with, and the keys (`section.key`) that differ and need a restart. Values are not given,
        since some are secrets.
    """
    sections: dict[str, object] = {}
    needs_restart: list[str] = []
    for section in type(running).model_fields:
        now, then = getattr(running, section), getattr(loaded, section)
        if section == "actors":
            sections[section] = then
            continue
        changeable = _CHANGEABLE.get(section, frozenset())
        taken: dict[str, object] = {}
        for key in type(now).model_fields:
            if getattr(now, key) == getattr(then, key):
                continue
            if key in changeable:
                taken[key] = getattr(then, key)
            else:
                needs_restart.append(f"{section}.{key}")
        sections[section] = now.model_copy(update=taken)
    return running.model_copy(update=sections), tuple(needs_restart)


class ConfigReload:
    """Reloads the config each time it is called.

    Args:
        load: Loads the settings from their sources.
        notifier: Tells the service manager.
        running: Gives the settings in use.
        take: Switches to other settings, and says what that changes.
    """

    def __init__(
        self,
        load: Callable[[], Settings],
        notifier: Notifier,
        running: Callable[[], Settings],
        take: Callable[[Settings], FleetChanges],
    ) -> None:
        self._load = load
        self._notifier = notifier
        self._running = running
        self._take = take

    def __call__(self) -> FleetChanges:
        """Load the settings and take what can change. Changed processes are replaced afterwards, one by one.

        Returns:
            What has changed, and what needs a restart.

        Raises:
            ReloadRefused: The config has errors. Everything stays as it is.
        """
        self._notifier.reloading()
        try:
            settings, needs_restart = merge(self._running(), self._load())
            changes = replace(self._take(settings), needs_restart=needs_restart)
        except ConfigError as e:
            problems = tuple(str(problem) for problem in e.problems)
            for problem in problems:
                log.error("reload.problem", extra={"problem": problem})
            log.error("reload.refused", extra={"problems": len(problems), "next": "the old settings stay"})
            raise ReloadRefused(problems) from None
        finally:
            # Also after a refusal: the service goes on with its old settings.
            self._notifier.ready()
        if needs_restart:
            log.warning("reload.needs_restart", extra={"keys": needs_restart})
        names = {name: getattr(changes, name) for name in ("added", "removed", "changed", "scaled")}
        log.info("service.reloaded", extra=names)
        return changes
