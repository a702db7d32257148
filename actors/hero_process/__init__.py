"""The processes of this host: who descends from whom, and how to end a whole tree."""
