"""Compare what is built with its source: outputs, decisions, the task's metric and speed.

`reference` gives the source's own outputs, `exactness` compares logits, `precision_check` compares
a converted engine with FP32. A new reference is a function in `reference`.
"""
