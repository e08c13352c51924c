"""Students without attention (ERNIE-Slim): a bag of words or a convolution.

`augment` makes more texts, `soft_scores` lets the teacher score them, `rows` trains on the scores,
`modules` are the students, and `distil` runs all of it and writes a checkpoint (`checkpoints`).
"""

from ernie_triton.training.compression.slim.augment import Augmentation
from ernie_triton.training.compression.slim.distil import SlimTraining, distil_slim

__all__ = ["Augmentation", "SlimTraining", "distil_slim"]
