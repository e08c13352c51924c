"""Break a served repository on purpose, under load, and count what its users would have seen.

`subjects` finds the pipelines and their right answers, `load` asks and compares, `run` does all of
it in turn on a copy made by `twins`, and `report` writes it down. `faults` says what a fault is;
the kinds are in `stage_faults`, `request_faults`, `connection_faults` and `build_faults`. A new one
is a class there, and a line in `run`.
"""
