"""What is told about a configuration: its values, its schema, its likely mistakes."""
