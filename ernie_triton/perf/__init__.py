"""Measure pipelines and engines: `ernie-triton perf`.

The root holds what all rooms share: `results` as data, `paired` figures, the `machine`, and
`build_process`. Rooms import one way:

    commands -> goals, compression_report, tuning, floor, scaling -> running, engines, limits
    running, engines, floor -> analyzer; engines -> baseline
    scaling -> engines, limits; scaling, goals, compression_report -> reporting

`baseline` and `floor` hold models that are served for comparison: their stages and configurations
are data of this package. A new command is a module of `commands`, named in `ernie_triton.cli`.
"""
