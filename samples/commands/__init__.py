"""The commands of `python -m samples`: of data, and of models."""
