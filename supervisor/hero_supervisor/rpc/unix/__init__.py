"""JSON-RPC on a Unix socket: the server, and the command ``hero-unix-client``."""
