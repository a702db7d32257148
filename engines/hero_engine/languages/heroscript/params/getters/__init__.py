"""The typed getters of `Params`, one module per family; `params.py` puts them together."""
