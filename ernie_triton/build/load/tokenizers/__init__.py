"""Read what a checkpoint's tokenizer does, from the files beside its weights.

`tokenizer_files` finds the vocabulary and decides the settings, `tokenizer_keys` checks those of
`tokenizer_config.json`, and `tokenizer_json` reads a `tokenizer.json` of whole words.
"""
