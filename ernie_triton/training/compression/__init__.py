"""From a fine-tuned checkpoint to a smaller or faster one, step by step."""
