"""Tests of `ernie_triton.training.finetune`."""
