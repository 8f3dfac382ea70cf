"""How alike captions are found fast."""
