"""Measure engines without a server.

`model_cache` builds and keeps models of random weights, `token_batches` makes their input,
`engine_alone` loads and times the engine of a built pipeline. `benchmark` times all engines against
the graph as torch exports it.

A new engine or precision to compare belongs into `benchmark.SUBJECTS`.
"""
