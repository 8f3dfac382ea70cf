"""Fine-tuning a generator of texts."""
