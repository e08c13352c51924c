"""Sample data in CLUE's formats and the tiny ERNIE checkpoints trained on it.

`python -m samples` generates the data, builds the vocabulary, trains and measures. A task is one
module (`tnews`, `afqmc`) named in `samples.tasks`; its words and templates are text files in
`grammars/`.
"""
