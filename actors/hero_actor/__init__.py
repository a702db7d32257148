"""The actor process: claims jobs from its queues, runs their scripts in an engine and writes the results back."""
