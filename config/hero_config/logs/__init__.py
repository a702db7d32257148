"""Logging of every program of this project."""
