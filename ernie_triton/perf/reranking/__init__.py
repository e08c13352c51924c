"""Reranking compared with sentence-transformers' CrossEncoder: documents a second, in turn.

`comparison` serves a checkpoint and asks it; `worker` does the same with CrossEncoder, in an
environment of its own.
"""
