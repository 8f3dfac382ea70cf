"""Stage 2: embeddings."""
