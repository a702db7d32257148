"""The interface to the service manager: notifications and passed sockets."""
