"""One actor process: what it runs, how it is started, how the supervisor speaks to it, and what it prints."""
