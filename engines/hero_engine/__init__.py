"""Engines, which run scripts: the contract between actor and engine, the registry, and the built-in engines."""
