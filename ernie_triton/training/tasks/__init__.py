"""What each task brings to training: its rows of tokens, its loss and its metric.

Rows are made by the tokenizer and the windows that serve, so a model is trained on the ids that it
will get; the metric is made by the stages that serve and the clients' scorers, so it is the figure
that `--evaluate` prints.
"""

from ernie_triton.training.tasks.base import Batch, Features, TrainingTask
from ernie_triton.training.tasks.choice import training_task

__all__ = ["Batch", "Features", "TrainingTask", "training_task"]
