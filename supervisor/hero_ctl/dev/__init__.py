"""`hero-dev`: one service with everything in it, for trying and developing; `scripts/run` uses it, too."""
