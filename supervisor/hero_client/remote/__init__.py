"""The Python API over JSON-RPC: a program needs no access to the store, and has the rights of its token."""
