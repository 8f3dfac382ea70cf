"""What one or several `--data` name: triplets, a benchmark, a list of them, or all that are here.

    chosen, lacking = choose_data(["cirr", "fashioniq"], (), None, None, machine)
    [one.name for one in chosen], lacking        # what can be scored; one line for each that cannot

The files and features of benchmarks lie where the settings of the machine say (`cvr data-status`).
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvr_bench.benchmarks import BENCHMARKS
from cvr_bench.benchmarks.triplets import benchmark_task_name
from cvr_bench.data.benchmark import data_option_names, is_benchmark_data
from cvr_bench.data.opened import Sources
from cvr_bench.data.sources import choose_data_sources
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.machine import Machine
from cvr_data.core.registry import split_key_value_options
from cvr_data.features.store import STAGE

ALL = "all"
"""The `--data` that stands for every benchmark."""


@dataclass(frozen=True)
class Chosen:
    """One data set to score."""

    sources: Sources
    split: str
    name: str
    """What its results are called after the model."""


def choose_data(
    data: Sequence[str], data_options: Sequence[str], embeddings: Path | None, split: str | None, machine: Machine
) -> tuple[list[Chosen], list[str]]:
    """Return the data sets that can be scored, and one line for each of several that cannot.

    Raises:
        CvrError: the only one named cannot be scored, none of several can, or an option belongs to none of them.
    """
    wanted = _wanted_data(data)
    if len(wanted) == 1:
        return [_choose_one_data_set(wanted[0], data_options, embeddings, split, machine)], []
    _check_options(wanted, data_options)
    chosen, lacking = [], []
    for name in wanted:
        try:
            chosen.append(
                _choose_one_data_set(name, _options_of_benchmark(name, data_options), embeddings, split, machine)
            )
        except CvrError as error:
            lacking.append(data_not_scored(name, error))
    if not chosen:
        raise CvrError(f"None of {len(wanted)} data sets can be scored. {lacking[0]} (cvr data-status lists all)")
    return chosen, lacking


def data_not_scored(name: str | None, error: CvrError) -> str:
    """Return the line that says why a data set is not scored."""
    return f"{name} is not scored: {error}"


def embeddings_of_data(name: str, machine: Machine) -> Path | None:
    """Return the embeddings that this machine has for a benchmark; None if there are none.

    Raises:
        CvrError: there are several.
    """
    places = [folder for folder in machine.features_folders(name) if folder.is_dir()]
    places += [path for folder in places for path in sorted(folder.iterdir()) if path.is_dir()]
    found = [path for path in places if (path / MANIFEST).exists() and open_artifact(path).stage.startswith(STAGE)]
    if len(found) > 1:
        raise CvrError(f"{name} has features in {', '.join(map(str, found))}; pass --embeddings.")
    return found[0] if found else None


def data_options_with_root(data: str | None, data_options: Sequence[str], machine: Machine) -> tuple[str, ...]:
    """Return the options of a benchmark, with the folder that this machine has for it before those that were given."""
    if data is None or not is_benchmark_data(data):
        return tuple(data_options)
    return (f"annotations={machine.root(data.replace('_', '-'))}", *data_options)


def _choose_one_data_set(
    name: str | None, options: Sequence[str], embeddings: Path | None, split: str | None, machine: Machine
) -> Chosen:
    if embeddings is None and name is not None and is_benchmark_data(name):
        embeddings = embeddings_of_data(name.replace("_", "-"), machine)
    sources = choose_data_sources(name, data_options_with_root(name, options, machine), embeddings, split)
    if sources.benchmark is not None:
        return Chosen(sources, sources.benchmark.split, sources.benchmark.label)
    return Chosen(sources, split or "test", benchmark_task_name(sources.data))


def _wanted_data(data: Sequence[str]) -> list[str | None]:
    """The data sets that were named, each once; None is the triplets built last."""
    if not data:
        return [None]
    names = [data_option_names() if name == ALL and not Path(ALL).exists() else [name] for name in data]
    return list(dict.fromkeys(name for some in names for name in some))


def _options_of_benchmark(name: str | None, data_options: Sequence[str]) -> tuple[str, ...]:
    """Those of the options that the data set has."""
    if name is None or not is_benchmark_data(name):
        return ()
    fields = {field.name for field in dataclasses.fields(BENCHMARKS.get(name.replace("_", "-")).Config)}
    return tuple(
        option
        for option in data_options
        if next(iter(split_key_value_options([option], name))).replace("-", "_") in fields
    )


def _check_options(wanted: Sequence[str | None], data_options: Sequence[str]) -> None:
    """Refuse an option that none of several data sets has, or that cannot be that of all."""
    names = sorted(split_key_value_options(data_options, "--data-option"))
    if "annotations" in names:
        raise CvrError("annotations=FOLDER belongs to one benchmark; several are found where cvr data-status looks.")
    used = {option for name in wanted for option in _options_of_benchmark(name, data_options)}
    if unused := [option for option in data_options if option not in used]:
        raise CvrError(f"None of the data sets has the option {unused[0]!r}.")
