"""Every family of components, by name: what `cvr list` and `cvr show` look through."""

from collections.abc import Collection
from importlib import import_module
from pathlib import Path

from cvr_bench.recipes.recipe import built_in_recipes, load_recipe
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.registry import Family
from cvr_data.modifications.prompts import prompt_names, prompt_summary

PACKAGES = {
    "corpora": "cvr_data.videos.corpora",
    "video-filters": "cvr_data.videos.filters",
    "encoders": "cvr_data.features.encoders",
    "strategies": "cvr_data.pairs.strategies",
    "filters": "cvr_data.filters",
    "backends": "cvr_data.modifications.backends",
    "formats": "cvr_data.formats",
    "layouts": "cvr_data.features.layouts",
    "benchmarks": "cvr_bench.benchmarks",
    "models": "cvr_bench.models",
}
"""Kind -> package; strings, because nothing is imported before somebody asks for it."""
FILES = ("prompts", "recipes", "checkpoints")
"""Families whose members are YAML files, or entries of one."""
RECIPES = "cvr_bench.recipes"
CHECKPOINTS = "cvr_bench.checkpoints.published"


def families() -> dict[str, Family]:
    """Return all families."""
    return {kind: one_family(kind) for kind in PACKAGES}


def family_kinds() -> list[str]:
    """Return the kinds of all families, those of files last."""
    return [*PACKAGES, *FILES]


def family_summaries(kind: str) -> dict[str, str]:
    """Return name -> summary of every member of a family. Raises CvrError: there is no such family."""
    if kind == "checkpoints":
        return import_module(CHECKPOINTS).summaries()
    if kind == "prompts":
        return {name: prompt_summary(name) for name in prompt_names()}
    if kind == "recipes":
        return {name: load_recipe(path).summary for name, path in family_recipe_files().items()}
    members = one_family(kind)
    return {name: members.summary(name) for name in members.names()}


def one_family(kind: str) -> Family:
    """Return a family by its kind. Raises CvrError: there is no such family."""
    if kind not in PACKAGES:
        raise CvrError(f"Unknown family {kind!r}. {did_you_mean(kind, family_kinds())}")
    return Family(PACKAGES[kind])


def family_recipe_files() -> dict[str, Path]:
    """Return name -> file of the built-in recipes."""
    return built_in_recipes(import_module(RECIPES).RECIPE_FOLDERS)


def find_component(name: str, instead: Collection[str] = ()) -> list[tuple[str, Family]]:
    """Return (kind, family) of every family that has a component of that name; a dotted name any family can describe.

    Raises:
        CvrError: none has, and it is none of the names that may stand `instead`, such as those of commands.
    """
    if "." in name:
        return [("a component of your own", one_family("filters"))]
    found = [(kind, family) for kind, family in families().items() if name.replace("_", "-") in family.names()]
    if not found and name not in instead:
        everything = {known for family in families().values() for known in family.names()}
        everything |= {*prompt_names(), *family_recipe_files(), *instead}  # `cvr show` takes those too
        raise CvrError(f"Unknown component {name!r}. {did_you_mean(name, everything)}")
    return found
