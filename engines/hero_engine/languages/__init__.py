"""Script languages that this project parses itself. Pure: they know neither engines, nor actors, nor the store."""
