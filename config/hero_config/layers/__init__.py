"""From files, environment and flags to settings, with where each value came from."""
