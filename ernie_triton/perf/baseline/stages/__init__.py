"""The baseline's stages; each file is copied to a model's `1/model.py` and stands alone there."""
