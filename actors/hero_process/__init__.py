"""The processes of this host: reading /proc, signalling safely, ending a whole tree, and what exit codes mean."""
