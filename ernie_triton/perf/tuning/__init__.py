"""`python -m perf tune`: threads, instances, batch and delay for one machine, by measurement."""
