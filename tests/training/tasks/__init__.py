"""Tests of `ernie_triton.training.tasks`."""
