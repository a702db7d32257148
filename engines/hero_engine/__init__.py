"""Engines: what runs a script. The protocol, the registry, and the engines of this project."""
