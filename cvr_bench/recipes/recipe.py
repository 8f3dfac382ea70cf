"""A recipe is a YAML file with command lines: the same steps a person would type, run in order and timed.

    name: tiny
    summary: Two commands on forty clips.
    variables: {clips: 40}
    steps:
      - cvr import synthetic --out videos -o train=$clips
      - cvr embed videos --out embeddings

Every command resumes what it finds finished, so a recipe that was stopped is simply run again. `$root_cirr` is the
folder of the data set cirr on this machine, where `cvr download` puts it and `cvr bench --data` looks for it.

    base: [webvid-covr]      # what recipes share, of recipes/shared/: variables, steps that come first, what it says

A recipe's own variables and words replace those of its base. A step that is a variable alone is none where that is
empty.
"""

import contextlib
import shlex
import string
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from cvr_bench.recipes.slurm import recipe_slurm_options
from cvr_data.core.annotation_files import read_json
from cvr_data.core.command_line import command
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.machine import Machine
from cvr_data.core.reading import reading
from cvr_data.core.secrets_in_text import mask_secrets
from cvr_data.core.whole_files import json_bytes, write_bytes
from cvr_data.core.yaml_text import read_yaml

TIMINGS = "timings.json"
FIELDS = {"name", "summary", "base", "variables", "steps", "slurm"}
SHARED = Path(__file__).parent / "shared"
HERE = Machine()
"""Where nothing is said of this machine."""
ROOT = "root_"
"""How a variable begins that is the folder of a data set."""
NO_STEPS = "a recipe needs a list of `steps`, each a command line such as `cvr import ...`."
ABOUT = ("published", "needs", "machine", "verified", "differs")
"""What a recipe of a paper's row says of itself: the numbers and where they stand, the files it needs, what disk,
memory and time it takes, what was checked here and what was not, and what differs from the original."""


@dataclass(frozen=True)
class Recipe:
    """Ordered command lines, without the leading `cvr`, variables filled in."""

    name: str
    summary: str
    steps: tuple[tuple[str, ...], ...]
    about: Mapping[str, str] = field(default_factory=dict)
    """Of `ABOUT`, what it says."""
    slurm: Mapping[str, int] = field(default_factory=dict)
    """What a job asks for (`recipes.slurm`)."""


@dataclass(frozen=True)
class Timing:
    """How long one step took, in seconds."""

    command: str
    seconds: float
    """Of this run."""
    made: float
    """Of the run that did the work: this one, or an earlier one where the step found it done."""


def find_recipe(name: str, folders: Sequence[Path]) -> Path:
    """Return the file of a recipe: a path, or the name of one in `folders`.

    Raises:
        CvrError: there is no such file or built-in recipe.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        if not path.is_file():
            raise CvrError(f"{path}: no such recipe file.")
        return path
    built_in = built_in_recipes(folders)
    if name not in built_in:
        raise CvrError(f"Unknown recipe {name!r}. {did_you_mean(name, built_in)}")
    return built_in[name]


def built_in_recipes(folders: Sequence[Path]) -> dict[str, Path]:
    """Return name -> file of the recipes in `folders`."""
    return {found.stem.replace("_", "-"): found for folder in folders for found in sorted(folder.glob("*.yaml"))}


def recipe_variables(path: Path) -> dict[str, str]:
    """Return the variables of a recipe with their defaults, those of its base first. Raises CvrError: it is none."""
    return _defaults(_with_base(path))


def _defaults(content: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in content["variables"].items()}


def recipe_files(path: Path) -> list[Path]:
    """Return the files of what a recipe is based on, and its own. Raises CvrError: there is no such base."""
    names = _read_yaml(path).get("base") or []
    known = built_in_recipes([SHARED])
    if not isinstance(names, list) or any(name not in known for name in names):
        raise CvrError(f"{path}: base should be a list of {', '.join(known)}, got {names!r}.")
    return [*dict.fromkeys(file for name in names for file in recipe_files(known[name])), path]


class _Values(dict[str, str]):
    """Variables as they are given, and the folder of any data set."""

    def __init__(self, root: Callable[[str], Path]):
        super().__init__()
        self.root = root

    def __missing__(self, key: str) -> str:
        if not key.startswith(ROOT):
            raise KeyError(key)
        return str(self.root(key.removeprefix(ROOT).replace("_", "-")))


def load_recipe(
    path: Path, variables: Mapping[str, str] | None = None, root: Callable[[str], Path] = HERE.root
) -> Recipe:
    """Return the recipe of a file, its `$variables` replaced by their defaults or by `variables`.

    A default may be made of variables above it, and moves with them; `root` gives the folders of data sets.

    Raises:
        CvrError: the file is no recipe, or a variable is unknown.
    """
    content = _with_base(path)
    defaults = _defaults(content)
    for key in variables or {}:
        if key not in defaults:
            raise CvrError(f"{path}: unknown variable {key!r}. {did_you_mean(key, defaults)}")
    values = _Values(root)
    for key, default in defaults.items():
        given = (variables or {}).get(key)
        values[key] = _default(default, values, f"{path}: variable {key}") if given is None else given
    steps = tuple(
        step
        for number, line in enumerate(content["steps"], 1)
        if (step := _recipe_step(line, values, defaults, f"{path}: step {number}"))
    )
    about = {key: " ".join(str(content[key]).split()) for key in ABOUT if key in content}
    asks = recipe_slurm_options(content.get("slurm") or {}, str(path))
    return Recipe(str(content.get("name", path.stem)), str(content.get("summary", "")), steps, about, asks)


def run_recipe(
    recipe: Recipe, run: Callable[[list[str]], Any], folder: Path, announce: Callable[[str], None]
) -> list[Timing]:
    """Run every step inside `folder`, keep `timings.json` there up to date, and return it.

    `run` gets the arguments after `cvr`, and raises when the step fails; `announce` gets a line before and after each.
    The file keeps the seconds that the work of a step took, not those of a run that finds it done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    timings: list[Timing] = []
    with contextlib.chdir(folder):
        before = _times_before()
        for number, step in enumerate(recipe.steps, 1):
            line = mask_secrets(shlex.join(["cvr", *step]))
            announce(f"[{number}/{len(recipe.steps)}] $ {line}")
            started = time.monotonic()
            with command(step):
                run(list(step))
            seconds = round(time.monotonic() - started, 1)
            timings.append(Timing(line, seconds, max(seconds, before.get(line, 0.0))))
            made = [{"command": timing.command, "seconds": timing.made} for timing in timings]
            write_bytes(Path(TIMINGS), json_bytes(made))
            announce(f"    {seconds} s")
    return timings


def _times_before() -> dict[str, float]:
    """Seconds that the work of each step took in earlier runs."""
    path = Path(TIMINGS)
    if not path.exists():
        return {}
    entries = read_json(path, list)
    with reading(path, "times of steps; remove it"):
        return {str(entry["command"]): float(entry["seconds"]) for entry in entries}


def recipe_totals(timings: Sequence[Timing]) -> list[tuple[float, str]]:
    """Return the seconds of this run and, where steps took less than when they did the work, those of then as well."""
    fewer = sum(timing.seconds < timing.made for timing in timings)
    then = f"when the work was done; {fewer} of {len(timings)} steps took less now"
    whole = [(sum(timing.seconds for timing in timings), "in all")]
    return [*whole, (sum(timing.made for timing in timings), then)] if fewer else whole


def run_recipe_here(recipe: Recipe, folder: Path) -> list[Timing]:
    """Run the steps of a recipe with the `cvr` that is running, saying on stderr which one is at work."""
    context = click.get_current_context()
    group: Any = context.find_root().command

    def run(arguments: list[str]) -> None:
        code = group.main(args=arguments, prog_name="cvr", standalone_mode=False, parent=context)
        if isinstance(code, int) and code:  # such as a download of which something may come with another run
            raise CvrError(
                f"That step ended with {code}, as it says above; run the recipe again, and it goes on there."
            )

    return run_recipe(recipe, run, folder, lambda line: click.echo(line, err=True))


def _with_base(path: Path) -> dict[str, Any]:
    """What a recipe says, and its base where it says nothing; steps of the base come first."""
    whole: dict[str, Any] = {"variables": {}, "steps": []}
    for file in recipe_files(path):
        content = _read_yaml(file)
        with reading(file, "a recipe"):
            variables = whole["variables"] | (content.get("variables") or {})
            whole |= {**content, "variables": variables, "steps": whole["steps"] + content.get("steps", [])}
    if not whole["steps"]:
        raise CvrError(f"{path}: {NO_STEPS}")
    return whole


def _read_yaml(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, dict) or not isinstance(content.get("steps", []), list):
        raise CvrError(f"{path}: {NO_STEPS}")
    for key in content:
        if key not in {*FIELDS, *ABOUT}:
            raise CvrError(f"{path}: unknown key {key!r}. {did_you_mean(str(key), {*FIELDS, *ABOUT})}")
    return content


def _default(text: str, earlier: Mapping[str, str], where: str) -> str:
    """What a variable is where nothing is given: it may be made of those above it, as they are given."""
    try:
        return string.Template(text).substitute(earlier)
    except KeyError as error:
        raise CvrError(f"{where}: no variable {error.args[0]!r} above it.") from None
    except ValueError as error:
        raise CvrError(f"{where}: {error}.") from None


def _filled_step(word: str, values: Mapping[str, str], defaults: Mapping[str, str]) -> list[str]:
    """The words that one of a step stands for: itself, with its variables filled in, whatever these hold.

    A word that is a variable and nothing else, which a recipe leaves empty or gives several words or an option, stands
    for as many as it says.
    """
    name = word.removeprefix("$")
    default = defaults.get(name, name)
    if name != word and (not default or default.startswith("-") or " " in default):
        return shlex.split(values[name])
    return [string.Template(word).substitute(values)]


def _recipe_step(line: object, values: Mapping[str, str], defaults: Mapping[str, str], where: str) -> tuple[str, ...]:
    if not isinstance(line, str):
        raise CvrError(f"{where} should be a command line, got {line!r}.")
    try:
        words = [filled for word in shlex.split(line) for filled in _filled_step(word, values, defaults)]
    except KeyError as error:
        raise CvrError(f"{where}: no variable {error.args[0]!r}. {did_you_mean(str(error.args[0]), values)}") from None
    except ValueError as error:
        raise CvrError(f"{where}: {error}.") from None
    if not words and line.startswith("$"):  # a step that is a variable, and is left empty
        return ()
    if words[:1] != ["cvr"] or len(words) < 2:
        raise CvrError(f"{where} should begin with `cvr COMMAND`, got {line!r}.")
    return tuple(words[1:])
