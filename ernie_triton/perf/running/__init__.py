"""`python -m perf run`: texts, load, checks and limits of one measurement after the other."""
