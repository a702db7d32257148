"""The contract in Redis: every key, every Lua script, and how a job is written to its hash and read back."""
