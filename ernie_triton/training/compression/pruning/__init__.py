"""Structured width pruning: remove attention heads and feed-forward neurons from every layer.

`importance` ranks the parts, `widths` chooses those that stay, `rewiring` cuts the others out,
`recovery` is the objective of the training afterwards, and `prune` runs all of it.
"""
