"""How a command reaches a deployment: its store, or a supervisor that it asks."""

from hero_ctl.connect.store import STATE_DIR, store_url

__all__ = ["STATE_DIR", "store_url"]
