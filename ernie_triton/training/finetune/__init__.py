"""Fine-tuning: from labelled data to a checkpoint."""
