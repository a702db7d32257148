"""Actions and playbooks: scripts as a list of what to do."""
