"""DRL's networks."""
