"""Scripts as playbooks: lists of actions, how they are read, selected, ordered, completed by includes, and written."""
