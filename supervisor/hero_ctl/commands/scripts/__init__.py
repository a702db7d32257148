"""The commands on scripts as texts: what they may call, and whether they are right. They run no job."""
