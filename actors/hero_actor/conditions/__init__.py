"""Conditions that all threads of an actor share: it is shutting down, its store is away, its engine is missing."""
