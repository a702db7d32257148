"""Which server of a replicated store is the primary, and that no client stays with another one."""
