"""One run of a HeroScript, inside a child process."""
