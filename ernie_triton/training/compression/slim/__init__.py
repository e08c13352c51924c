"""Students without attention (ERNIE-Slim): a bag of words or a convolution, taught by a teacher."""

from ernie_triton.training.compression.slim.augment import Augmentation
from ernie_triton.training.compression.slim.distil import SlimTraining, distil_slim

__all__ = ["Augmentation", "SlimTraining", "distil_slim"]
