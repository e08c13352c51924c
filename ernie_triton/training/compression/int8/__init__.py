"""INT8 of a fine-tuned checkpoint, by rounding or by further training with rounding."""
