"""Is a text good."""
