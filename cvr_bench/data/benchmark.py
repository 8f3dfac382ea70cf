"""A benchmark of the field as the data of a run: its name, its options, and the files it reads.

data_of_named_benchmark("fashioniq", ["annotations=fashion-iq", "category=shirt"])
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvr_bench.benchmarks import BENCHMARKS, HasSplits
from cvr_bench.tasks.task import Task
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict, split_key_value_options

OWN = "triplets"
"""The component that reads triplets folders: `--data` is their path, not a name."""
FREE_OPTIONS = ("annotations", "counts")
"""Options of a benchmark that do not say what is asked."""


@dataclass(frozen=True)
class Benchmark:
    """One configured benchmark."""

    name: str
    config: Any
    label: str
    """What its results are called: the name and the options that were given."""

    @property
    def split(self) -> str:
        """The split that is scored."""
        return self.config.split if isinstance(self.config, HasSplits) else "test"

    def files(self) -> list[Path]:
        """Return the files that it reads."""
        return BENCHMARKS.get(self.name).files(self.config)

    def identity(self) -> dict[str, Any]:
        """Return its name and the options that can change a score; what is in the files is hashed apart."""
        options = {name: value for name, value in config_dict(self.config).items() if name != "annotations"}
        return {"name": self.name, **options}

    def load(self) -> Task:
        """Return the task, whatever features are stored."""
        return BENCHMARKS.get(self.name).load(self.config)


def data_option_names() -> list[str]:
    """Return the names that `--data` takes beside paths."""
    return [name for name in BENCHMARKS.names() if name != OWN]


def is_benchmark_data(data: str) -> bool:
    """Return whether `--data` names a benchmark; a path of that name goes first."""
    return not Path(data).exists() and data.replace("_", "-") in data_option_names()


def data_of_named_benchmark(name: str, options: Sequence[str], split: str | None = None) -> Benchmark:
    """Return the benchmark of that name. Raises CvrError: there is none, an option is wrong, or a file is missing."""
    given = split_key_value_options(options, name)
    fields = {field.name for field in dataclasses.fields(BENCHMARKS.get(name).Config)}
    if split is not None:
        if "split" not in fields:
            raise CvrError(f"{name} has one split, so --split has no meaning here.")
        given = {"split": split, **given}
    config = BENCHMARKS.config(name, given)
    words = [value for key, value in given.items() if key.replace("-", "_") not in FREE_OPTIONS]
    benchmark = Benchmark(name, config, "-".join([name, *words]))
    benchmark.files()
    return benchmark
