"""Break a served repository on purpose, under load, and count what its users would have seen.

`subjects` finds the pipelines and their right answers, `load` asks and compares, `faults` breaks,
`run` does all of it in turn, and `report` writes it down. A new fault is a class in `faults`.
"""
