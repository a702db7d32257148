"""JSON-RPC on a TCP port, over WebSocket and HTTP, with health and metrics."""
