"""The formatter, the checker, and conversions of parameters."""
