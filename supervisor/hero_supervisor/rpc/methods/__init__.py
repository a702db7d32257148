"""The JSON-RPC methods, their parameters and results, and their description."""
