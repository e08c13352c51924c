"""Measure the latency of the server itself: `ernie-triton perf floor`.

`repository` writes models that compute nothing, one stage alone and an ensemble of three. `measure`
times them beside real pipelines; `ceiling` counts the CPU time of a text in each of their stages.
`stages/` is data of this package: its file is copied to each model's `1/model.py` and stands alone
there.
"""
