"""The configuration: settings as models, the layers that they come from, reports about them, and logging."""
