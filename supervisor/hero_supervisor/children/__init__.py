"""The actor processes of this host: one slot per process, kept running, restarted, replaced and cleaned up after."""
