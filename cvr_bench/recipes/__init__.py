"""Built-in recipes of the bench; those of the builder lie in cvr_data/recipes."""

from pathlib import Path

import cvr_data

RECIPE_FOLDERS = (Path(cvr_data.__file__).parent / "recipes", Path(__file__).parent)
