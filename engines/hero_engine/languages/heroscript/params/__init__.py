"""The parameters of an action, with typed getters."""
