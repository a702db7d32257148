"""Script languages that this project reads itself. Pure: no engine, no actor, no store."""
