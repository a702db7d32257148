"""Connections of scripts: `reach` decides to which addresses, `stream` connects, `web` speaks HTTP over it."""
