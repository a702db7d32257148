"""How the coroutines of an `AsyncStore` wait for the ends of jobs and batches."""
