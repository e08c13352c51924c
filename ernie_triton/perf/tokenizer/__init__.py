"""Compare our tokenizer with the `tokenizers` library: `ernie-triton perf tokenizer`.

`texts` makes the vocabulary and the kinds of texts, `measure` times both tokenizers in turn. A new
kind of text belongs into `texts.WORKLOADS`.
"""
