"""The actor processes of this host: how they are started, watched, restarted and replaced."""
