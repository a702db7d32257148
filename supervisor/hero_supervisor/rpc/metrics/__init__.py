"""The metrics of a deployment and of its supervisor, in Prometheus' text format, for both servers."""
