"""Conditions that every thread of an actor has to know: it shuts down, its store is away, its engine is missing."""
