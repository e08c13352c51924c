"""Students without attention (ERNIE-Slim): a bag of words or a convolution, taught by a teacher."""

from build_scripts.compression.slim.augment import Augmentation
from build_scripts.compression.slim.distil import SlimTraining, distil_slim

__all__ = ["Augmentation", "SlimTraining", "distil_slim"]
