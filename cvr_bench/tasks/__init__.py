"""What is ranked, and by which rules."""
