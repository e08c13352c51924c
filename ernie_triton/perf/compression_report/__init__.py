"""Compress a checkpoint and report what each compression is worth: `ernie-triton compress`.

`command` runs the training steps. `variants` builds their results, `measuring` serves and loads
them in turn, `content` holds the report as data, `table` and `plots` show it, and `writing` is the
whole flow from variants to files.

A new compression needs its variant in `variants.variants_of`.
"""
