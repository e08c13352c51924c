"""`python -m perf goals`: the speed that this project promises, measured in one run."""
