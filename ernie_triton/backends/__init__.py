"""What runs inside Triton's Python backend: one module for each stage of an ensemble."""
