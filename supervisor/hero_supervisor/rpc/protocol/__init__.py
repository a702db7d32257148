"""JSON-RPC 2.0 itself: framing, messages, error codes, dispatch, flow control, push. Knows no methods and no rights."""
