"""From a fine-tuned checkpoint to a Triton model repository: `python -m build_scripts`."""
