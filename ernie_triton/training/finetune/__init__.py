"""Fine-tuning: from labelled data to a checkpoint.

`finetuning` runs it, `recipes` chooses hyper-parameters, `curve` draws the training curve. The
hyper-parameters of a new data set are a table in `recipes.toml`.
"""
