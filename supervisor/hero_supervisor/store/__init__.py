"""The embedded store, and the warnings about settings of any store."""
