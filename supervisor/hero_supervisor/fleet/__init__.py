"""Changing the actor processes while the service runs: commands of operators, signals, another config, the load."""
