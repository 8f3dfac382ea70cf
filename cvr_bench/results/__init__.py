"""A result on disk, and two beside each other."""
