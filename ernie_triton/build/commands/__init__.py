"""The commands that build, inspect and check checkpoints and plans, one module each."""
