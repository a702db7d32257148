"""The commands of `heroctl`, one module per subject; `app.py` registers them.

A command reads its options, calls the API, and prints the result. Errors of the API pass through to `cli.main`.
"""
