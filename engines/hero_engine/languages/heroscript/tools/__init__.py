"""Tools on top of the language: the formatter, the checker, and conversions of parameters."""
