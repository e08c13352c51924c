"""Measure pipelines and engines: `ernie-triton perf`.

The root holds what all rooms share: `results` as data, `paired` figures, the `machine`, and
`build_process`. Rooms import one way:

    commands -> goals, tuning, floor, scaling, limits, tokenizer -> root
    goals -> floor, engines, limits; scaling -> engines, limits; engines -> baseline
    compression_report, tuning -> running -> analyzer; engines, floor, goals -> analyzer
    goals, scaling, compression_report -> reporting -> root

`baseline` and `floor` hold models that are served for comparison: their stages and configurations
are data of this package. A new command is a module of `commands`, named in `ernie_triton.cli`.
"""
