"""The typed getters of `Params`, with one module per kind of value."""
