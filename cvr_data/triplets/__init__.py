"""Stage 5: a dataset folder, and what is known of it."""
