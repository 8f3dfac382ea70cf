"""FDCA's networks."""
