"""Tokenizers of SentencePiece and of byte-level pieces.

`vocabulary` reads a `tokenizer.json` whose model is Unigram or BPE, and the settings beside it.
`sentencepiece_model` makes such a document of a SentencePiece model without one. `ernie_m` makes
one of ERNIE-M's two files, with `character_rules`, by which the model normalises texts.
"""
