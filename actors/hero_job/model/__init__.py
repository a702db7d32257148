"""What a job is and what becomes of it: plain data and pure checks. Does no I/O."""
