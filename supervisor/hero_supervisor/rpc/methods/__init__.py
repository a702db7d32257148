"""The methods that clients call about jobs, batches, queues, actors and the service, and the description of them."""
