"""One run of a script, inside a child process: its settings, its context, its actions and their handlers."""
