"""ernie-triton: Chinese language models from a checkpoint to a Triton server.

The modules here are the contract that all rooms share: tasks, pipelines, settings, batches, errors.
They import NumPy alone. Each room (`tokenizer`, `engines`, `decoders`, `stages`, `backends`,
`server`, `client`, `build`, `training`, `perf`) says in its docstring where new things go.
"""

__version__ = "0.1.0"
