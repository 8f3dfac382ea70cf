"""Stage 1: captioned videos, their groups and splits."""
