"""Families that only compute. They need no right."""
