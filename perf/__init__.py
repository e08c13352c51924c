"""What is measured: scenarios, and `python -m perf`; the code is `ernie_triton.perf`."""
