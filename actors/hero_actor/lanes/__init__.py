"""The lanes of an actor. Each lane is a thread that claims jobs, runs them in the engine and settles them."""
