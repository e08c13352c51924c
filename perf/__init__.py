"""Scenarios, and `python -m perf`; the code is `ernie_triton.perf`."""
