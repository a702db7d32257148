"""The actor process: takes jobs from its queue, runs them in an engine, writes back what came of them."""
