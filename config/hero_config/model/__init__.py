"""The settings as models: names, types, defaults, limits, explanations."""
