"""Measuring a server with the real perf_analyzer: `python -m perf`."""
