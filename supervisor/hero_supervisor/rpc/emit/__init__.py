"""Writes the generated parts of the typed clients from the registered methods."""
