"""Other programs that do the same, compared in turn with a served model on the same texts.

`reranking` has CrossEncoder of sentence-transformers beside it, `extraction` PaddleNLP's Taskflow.
Each runs in an environment of its own: `cross_encoder` and `taskflow` are the scripts that are
started there, `workers` talks to them, `table` prints the figures.
"""
