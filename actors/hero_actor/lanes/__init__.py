"""The lanes of an actor: each claims jobs, runs them in the engine and settles them."""
