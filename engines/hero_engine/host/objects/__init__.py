"""The functions by which scripts use objects of OSIS, made from the schemas of the actor."""
