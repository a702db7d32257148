"""What functions that are offered to scripts build on: the operator's allow-lists, and running programs of the host."""
