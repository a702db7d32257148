"""How one field of a job is checked, spelled and written: what the rows of `JOB_FIELDS` are made of. Pure."""
