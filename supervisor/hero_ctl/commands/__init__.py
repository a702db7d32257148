"""The commands of `heroctl`, one module per group."""
