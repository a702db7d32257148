"""What can be done with jobs, queues and actors in Redis, each operation defined once as data."""
