"""Stage 3: pairs, the changes between them, and videos that mislead."""
