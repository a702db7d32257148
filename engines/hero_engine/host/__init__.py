"""What the functions that are offered to scripts stand on: programs of the host, and rules of what is allowed."""
