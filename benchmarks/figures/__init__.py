"""The parts of benchmarks/throughput.py: the server, the environments of the peers, what is measured, the report."""
