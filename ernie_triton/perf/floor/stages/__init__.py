"""Stages of the floor, copied into its models."""
