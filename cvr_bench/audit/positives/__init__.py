"""Finds the right answers that a test set does not list, and what its figures are once they are known."""
