"""Tests of ernie_triton.bulk."""
