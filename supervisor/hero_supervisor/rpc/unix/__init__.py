"""JSON-RPC on a Unix socket."""
