"""How a change is said."""
