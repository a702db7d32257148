"""What to do about one child process, as pure functions: no clock, no randomness, no process."""
