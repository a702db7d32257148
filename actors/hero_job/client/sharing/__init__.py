"""How the coroutines of an `AsyncStore` share its connections."""
