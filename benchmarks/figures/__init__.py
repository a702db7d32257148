"""The parts of the comparison in throughput.py: server, environments of the peers, measurements and report."""
