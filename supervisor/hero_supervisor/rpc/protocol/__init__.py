"""JSON-RPC 2.0 itself: messages, framing, dispatch, error codes."""
