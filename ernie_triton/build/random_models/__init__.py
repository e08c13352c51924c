"""Models of random weights, for speed measurements: speed depends on the shape, not on training.

`checkpoint` writes a checkpoint without torch, with the weights of `weights`. `torch_export` makes
a model of transformers and exports it with torch.
"""
