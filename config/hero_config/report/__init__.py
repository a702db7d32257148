"""What is printed about a configuration: its values, its schema, its default file, and warnings."""
