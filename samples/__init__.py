"""Sample data in CLUE's formats and the tiny ERNIE checkpoints trained on it.

`python -m samples` is the command line (`cli`). `generators/` draws the data from `grammars/`,
`splits` writes them, `vocabulary` makes `data/vocab.txt`. `training` makes a checkpoint: a base
(`bases`), varied copies of the lines (`augmentation`), then fine-tuning as in
`ernie_triton.training`, by the table `recipes.toml`. `evaluation` measures it. `generators` says
where a new task is added; `demo` is `make demo`.
"""
