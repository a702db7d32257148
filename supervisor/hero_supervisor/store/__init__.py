"""The embedded store, and warnings about the settings of any store."""
