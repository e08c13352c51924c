"""`python -m perf scaling`: how cost grows with tokens, rows, layers and width."""
