"""Tests of `ernie_triton.training.datasets`."""
