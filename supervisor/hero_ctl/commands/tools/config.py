"""The command `config where`: which config, store and socket the programs use in this folder, and why."""

from __future__ import annotations

import os
from typing import Any

from hero_config.layers.places import Places, config_candidates
from hero_config.model.urls import shown_url
from hero_ctl.connect.store import find
from hero_ctl.options import Json, StoreOptions
from hero_ctl.output.console import echo
from hero_ctl.output.widths import wrapped


def where(store: StoreOptions, *, as_json: Json = False) -> None:
    """Show which config, store and socket the programs use here, and what decided that.

    The same rule holds for heroctl, hero-supervisor and hero-actor: a flag wins, then the environment, then the config
    file, then a running service's embedded store.
    """
    places = find(store)
    found = facts(places, store)
    if as_json:
        from hero_ctl.output.json_views import to_json

        echo(to_json(found))
        return
    for name, fact in found.items():
        echo(f"{name:<10} {wrapped(fact['value'] or 'none', indent=11, begin=11)}")
        if fact["origin"]:
            echo(f"{'':<10} {wrapped(fact['origin'], indent=11, begin=11)}")


def facts(places: Places, store: StoreOptions) -> dict[str, dict[str, Any]]:
    """List what was found, by name: each value with its origin."""
    url, namespace = places.store_url(), places.namespace
    named = os.environ.get("HERO_CONFIG")
    config_origin = "HERO_CONFIG" if named and store.config == named else places.config_origin
    if places.config is None:
        looked = ", ".join(str(path) for path, _ in config_candidates(os.environ))
        config_origin = f"neither --config nor HERO_CONFIG is given, and none of these exists: {looked}"
    given_url = os.environ.get("HERO_REDIS_URL")
    return {
        "config": {"value": str(places.config or ""), "origin": config_origin},
        "folder": {"value": str(places.folder.absolute()), "origin": "where relative paths of the config begin"},
        "store": {
            "value": shown_url(store.redis_url or url.value),
            "origin": ("HERO_REDIS_URL" if store.redis_url == given_url else "--redis-url")
            if store.redis_url
            else url.origin or places.missing_store(),
        },
        "namespace": {
            "value": store.given_namespace or namespace.value,
            "origin": "--namespace or HERO_NAMESPACE" if store.given_namespace else namespace.origin,
        },
        "socket": {"value": places.socket.value, "origin": places.socket.origin},
    }
