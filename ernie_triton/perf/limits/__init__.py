"""Compare speeds with the limit of the machine: `ernie-triton perf limit`.

`matrix_products` measures the peak of matrix products at a model's shapes, `arithmetic` counts the
operations of a text, and `fractions` states results as parts of the peak.
"""
