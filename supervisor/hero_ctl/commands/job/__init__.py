"""The commands on jobs: run them, look at them, act on them, follow them."""
