"""Structured width pruning: attention heads and feed-forward neurons taken out of every layer."""
