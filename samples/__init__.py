"""Sample data in CLUE's formats and the tiny ERNIE checkpoints trained on it.

`python -m samples` generates the data, builds the vocabulary, trains and measures. A task is one
module (`tnews`, `cmrc2018`) named in `samples.cli`, its words and templates are text files in
`grammars/`; how a model learns it is said in `samples.recipes`, by one of the `learners/`.
"""
