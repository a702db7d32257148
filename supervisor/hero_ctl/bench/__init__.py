"""`heroctl bench`: load from several producer processes."""
