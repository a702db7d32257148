"""What one store, one host and one supervisor carry: each module is one way to grow, until something breaks."""
