"""What operators and load do to the actor processes while the service runs."""
