"""Networks that model files are made of."""
