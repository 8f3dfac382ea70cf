"""Fetching published annotations, media, features and checkpoints."""
