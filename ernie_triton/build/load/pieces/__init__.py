"""Tokenizers of SentencePiece and of byte-level pieces.

`vocabulary` reads a `tokenizer.json` whose model is Unigram or BPE, and the settings beside it.
`sentencepiece_model` makes such a document of a SentencePiece model without one.
"""
