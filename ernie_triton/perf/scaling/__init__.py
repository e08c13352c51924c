"""Measure how cost grows with tokens, rows, layers and width: `ernie-triton perf scaling`.

`sweeps` says which sizes to vary, `measure` times the engines, `fit` explains the times as a sum of
costs; `report` and `plots` show both. A new size to vary belongs into `sweeps.Plan`.
"""
