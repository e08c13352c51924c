"""Stages of the baseline, copied into its models."""
