"""What `rpc.discover` says beyond the types: enumerations, scopes, tags, kinds of errors, notifications."""
