"""Logging: the format of all programs, and where the log of the service goes."""
