"""Processes and connections of a gateway: workers that share a port, and bounds on each caller."""
