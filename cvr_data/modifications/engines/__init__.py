"""What backends are made of."""
