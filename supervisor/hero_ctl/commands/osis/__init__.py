"""The commands on objects of OSIS: what there is, how it moves, and who may use it."""
