"""The interface to the service manager."""
