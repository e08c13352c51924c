"""Sample data in CLUE's formats and the tiny ERNIE checkpoints trained on it.

`python -m samples` is the command line (`cli`). `generators/` draws the data from `grammars/`,
`splits` writes them, `vocabulary` makes `data/vocab.txt`. `training` makes a checkpoint: a base
(`bases`), varied copies of the lines (`augmentation`) and of more that are drawn (`drawn_lines`),
then fine-tuning as in `ernie_triton.training`, by the table `recipes.toml`. Some tables name a
teacher instead, and `distillation/` lets a student learn from it. `evaluation` measures it;
`topics` measures the news topics on sentences from elsewhere. `generators` says where a new task is
added; `demo` is `make demo`.
"""
