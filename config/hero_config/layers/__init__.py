"""Reads files, environment and flags, merges them, and makes settings that know where each value came from."""
