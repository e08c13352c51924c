"""Models of transformers that have a checkpoint's weights, for training, compression and checks.

`checkpoints` loads and saves them. `modules` makes the module and its configuration, `weights`
fills it from the canonical model, and `layer_widths` changes the width of pruned layers.
"""
