"""Every family of components, by name: what `cvr list` and `cvr show` look through."""

from importlib import import_module
from pathlib import Path

from cvr_data.errors import CvrError, did_you_mean
from cvr_data.prompts import prompt_names, prompt_summary
from cvr_data.recipe import built_in_recipes, load_recipe
from cvr_data.registry import Family

PACKAGES = {
    "corpora": "cvr_data.corpora",
    "encoders": "cvr_data.encoders",
    "mining": "cvr_data.mining",
    "filters": "cvr_data.filters",
    "backends": "cvr_data.backends",
    "formats": "cvr_data.formats",
    "feature_layouts": "cvr_data.feature_layouts",
    "datasets": "cvr_bench.datasets",
    "models": "cvr_bench.models",
}
"""Kind -> package; strings, because the builder never imports the bench."""
FILES = ("prompts", "recipes", "checkpoints")
"""Families whose members are YAML files, or entries of one."""
RECIPES = "cvr_bench.recipes"
CHECKPOINTS = "cvr_bench.published_checkpoints"


def families() -> dict[str, Family]:
    """Return all families."""
    return {kind: one_family(kind) for kind in PACKAGES}


def one_family(kind: str) -> Family:
    """Return a family by its kind.

    Raises:
        CvrError: there is no such family.
    """
    if kind not in PACKAGES:
        raise CvrError(f"Unknown family {kind!r}. {did_you_mean(kind, [*PACKAGES, *FILES])}")
    return getattr(import_module(PACKAGES[kind]), kind.upper())


def recipe_files() -> dict[str, Path]:
    """Return name -> file of the built-in recipes."""
    return built_in_recipes(import_module(RECIPES).RECIPE_FOLDERS)


def file_summaries(kind: str) -> dict[str, str]:
    """Return name -> summary of the built-in prompts or recipes, or of published checkpoints."""
    if kind == "checkpoints":
        return import_module(CHECKPOINTS).summaries()
    if kind == "prompts":
        return {name: prompt_summary(name) for name in prompt_names()}
    return {name: load_recipe(path).summary for name, path in recipe_files().items()}


def find_component(name: str) -> list[tuple[str, Family]]:
    """Return (kind, family) of every family that has a component of that name.

    Raises:
        CvrError: none has.
    """
    found = [(kind, family) for kind, family in families().items() if name.replace("_", "-") in family.names()]
    if not found:
        everything = [known for family in families().values() for known in family.names()]
        raise CvrError(f"Unknown component {name!r}. {did_you_mean(name, everything)}")
    return found
