"""`python -m perf report`: results as tables and plots."""
