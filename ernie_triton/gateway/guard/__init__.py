"""API keys, and the limits of each across all worker processes."""
