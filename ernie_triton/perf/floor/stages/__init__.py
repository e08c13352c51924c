"""Stages of the floor; each file is copied to a model's `1/model.py` and stands alone there."""
