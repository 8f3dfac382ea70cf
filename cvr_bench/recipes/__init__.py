"""Built-in recipes, one YAML file each, and what runs them."""

from pathlib import Path

RECIPE_FOLDERS = (Path(__file__).parent,)
