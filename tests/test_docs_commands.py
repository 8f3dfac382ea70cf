"""Every command that the README and the docs show: click reads it, its options exist, and what can run here runs."""

import dataclasses
import re
import shlex
import shutil
from functools import cache
from itertools import pairwise
from pathlib import Path

import click
import pytest

import cli
from cvr_bench.families import families
from cvr_bench.recipes import RECIPE_FOLDERS
from cvr_bench.recipes.recipe import built_in_recipes, recipe_variables
from cvr_bench.training.config import TrainConfig

ROOT = Path(__file__).resolve().parent.parent
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FAMILY_OF_OPTIONS = {
    ("bench", "options"): ("models", "models"),
    ("bench", "data_options"): ("data", "benchmarks"),
    ("encode-queries", "options"): ("model", "models"),
    ("embed", "options"): ("encoder", "encoders"),
    ("import", "options"): ("corpus", "corpora"),
    ("generate-modifications", "options"): ("llm", "backends"),
    ("describe-videos", "options"): ("llm", "backends"),
    ("import-embeddings", "encoder_option"): ("encoder", "encoders"),
    ("mine-pairs", "options"): ("strategy", "strategies"),
}
"""(command, its parameter with key=value) -> the parameter that names a component, and the family of that."""
SAMPLE = ROOT / "annotations" / "synthetic"
LOOK_UPS = ("list", "show", "data-status", "published")
READS_TRIPLETS = ("trace", "verify", "stats", "diff", "publish --dry-run")
"""What runs on the packaged sample, which stands in for any `annotations/...` folder, without clips or results."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """A command as a document shows it."""

    words: tuple[str, ...]
    """Without `cvr`; what stands for any words (`...`) is left out, unless it is an option's value."""
    is_whole: bool
    """Whether it stands in a block to be typed, and not in a sentence, where it may be shortened."""


@cache
def shown_commands(path: Path) -> list[Shown]:
    text = re.sub(r"\\\n\s*", " ", path.read_text(encoding="utf-8"))
    lines = [(line, True) for line in re.findall(r"^ {4,}(?:\$ )?(cvr .+)$", text, re.MULTILINE)]
    lines += [(" ".join(line.split()), False) for line in re.findall(r"`(cvr [^`]+)`", text)]
    found = []
    for line, is_block in lines:
        typed = re.split(r"\s{2,}|\s#", line)[0].replace("[", "").replace("]", "")  # a comment follows two spaces
        for part in typed.split("&&"):
            words = shlex.split(part)[1:]
            is_whole = is_block and not any("..." in word for word in words)
            typed_words = [word for before, word in pairwise(["", *words]) if word != "..." or before.startswith("--")]
            found.append(Shown(tuple(typed_words), is_whole))
    return found


def read_by_click(shown: Shown) -> tuple[str, click.Context | None]:
    """The command's name and what click makes of its words; None where a sentence leaves out what it must have."""
    here = [word.removeprefix("s3://bucket/") for word in shown.words]  # no store is asked
    root = cli.group.make_context("cvr", here)
    name, command, rest = cli.group.resolve_command(root, [*root._protected_args, *root.args])
    assert name is not None and command is not None
    try:
        return name, command.make_context(name, rest, parent=root)
    except click.BadParameter as error:
        is_left_out = isinstance(error, click.MissingParameter) or re.search("'[A-Z]+' is not", error.message)
        if shown.is_whole or not is_left_out:
            raise
        return name, command.make_context(name, rest, parent=root, resilient_parsing=True)


def option_names(config: type) -> set[str]:
    return {field.name for field in dataclasses.fields(config)}


def known_options(name: str, parameter: str, values: dict) -> set[str] | None:
    """The keys that a component takes; None where the words name no component of ours."""
    if (name, parameter) == ("bench", "train_options"):
        return option_names(TrainConfig)
    if (name, parameter) == ("run", "options"):
        recipes = built_in_recipes(RECIPE_FOLDERS)
        return set(recipe_variables(recipes[values["recipe"]])) if values["recipe"] in recipes else None
    if (name, parameter) not in FAMILY_OF_OPTIONS:
        return None
    of, family = FAMILY_OF_OPTIONS[name, parameter]
    named = values.get(of) or ()
    members = [str(each) for each in ([named] if isinstance(named, str) else named)]
    known = [each for each in members if each in families()[family].names()]
    configs = [families()[family].get(each).Config for each in known]
    if values.get("frames_by"):  # its options stand beside those of the strategy
        configs.append(families()["backends"].get(values["frames_by"]).Config)
    return set().union(*map(option_names, configs)) if known else None


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_click_reads_every_command_and_every_option_exists(path):
    for shown in shown_commands(path):
        try:
            name, context = read_by_click(shown)
        except click.UsageError as error:
            pytest.fail(f"{path.name}: cvr {shlex.join(shown.words)}: {error.format_message()}")
        for parameter, given in (context.params if context else {}).items():
            known = known_options(name, parameter, context.params) if given else None
            keys = {pair.partition("=")[0] for pair in given} if known is not None else set()
            assert keys <= (known or set()), f"{path.name}: cvr {shlex.join(shown.words)} has unknown {keys - known}"


def runnable() -> list[tuple[str, ...]]:
    """The look-ups of components that exist, dry runs of recipes, and what reads triplets and nothing else."""
    found = {shown.words for path in DOCS for shown in shown_commands(path)}
    kept = []
    for words in sorted(found):
        command, rest = words[0], words[1:]
        is_placeholder = any(word.isupper() or "." in word for word in rest)  # mine.short is a module of somebody
        is_look_up = command in LOOK_UPS and not is_placeholder and (command != "show" or rest)
        is_recipe = command == "run" and "--dry-run" in rest and not is_placeholder
        reads = command in READS_TRIPLETS or f"{command} {'--dry-run' * ('--dry-run' in rest)}" in READS_TRIPLETS
        reads = reads and not {"--results", "--evidence"} & {*rest}  # folders that are not here
        on_triplets = reads and rest and rest[0].startswith("annotations/")
        if is_look_up or is_recipe or on_triplets:
            kept.append(words)
    return kept


def test_many_commands_can_run():
    assert {words[0] for words in runnable()} >= {
        "list", "show", "data-status", "run", "trace", "verify", "stats", "diff", "publish",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("words", runnable(), ids=shlex.join)
def test_what_can_run_here_runs(words, cvr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for word in words:
        if word.startswith("annotations/"):
            shutil.copytree(SAMPLE, word)
    outcome = cvr.done(*words)
    assert outcome.out or outcome.err
