"""A method: one result, or one result per seed of a model that was trained several times.

results/fdca-quickstart/  seed-0/  seed-1/ ...         # of cvr bench --seeds
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvr_bench.results.result import RESULT, Result, read_result
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.errors import CvrError

SEED = "seed-"
"""How the folder of one seed begins."""


@dataclass(frozen=True)
class Method:
    """Results of one method on one task, which differ in their seed alone."""

    path: Path
    results: Sequence[Result]

    @property
    def name(self) -> str:
        """What it was called, else its model."""
        return self.results[0].name

    @property
    def label(self) -> str:
        """Its name, and how many seeds there are of it where these are several."""
        return self.name if len(self.results) == 1 else f"{self.name} ({len(self.results)} seeds)"

    def values(self, metric: str) -> np.ndarray:
        """Return the metric of each seed, in percent."""
        return np.array([result.interval(metric).value for result in self.results])


def result_folder_of_seed(folder: Path, seed: int) -> Path:
    """Return where the result of one of several seeds lies. Raises CvrError: a result of one seed lies there."""
    if (folder / MANIFEST).exists():
        raise CvrError(f"{folder} holds the result of one seed; pass --name or another --out for several.")
    return folder / f"{SEED}{seed}"


def result_folders(path: Path) -> list[Path]:
    """Return the folder of a result, or those of its seeds, by number."""
    if (path / MANIFEST).exists():
        return [path]
    found = [one.parent for one in path.glob(f"{SEED}*/{RESULT}") if one.parent.name.removeprefix(SEED).isdecimal()]
    return sorted(found, key=lambda one: int(one.name.removeprefix(SEED))) or [path]


def read_method_results(path: Path) -> Method:
    """Return the method of a folder. Raises CvrError: no result is there, or its seeds are of several tasks."""
    results = [read_result(one) for one in result_folders(path)]
    if len({(result.model, result.task_key) for result in results}) > 1:
        raise CvrError(f"{path} holds results of several models or tasks; compare its seeds one by one.")
    return Method(path, results)


def methods_of_results(results: Sequence[Result]) -> list[Method]:
    """Return the methods of results some of which are of several seeds, in their order; none where none is."""
    folders: dict[Path, list[Result]] = {}
    for result in results:
        path = result.path.resolve()
        folders.setdefault(path.parent if path.name.startswith(SEED) else path, []).append(result)
    is_seeded = any(result.path.resolve().name.startswith(SEED) for result in results)
    return [Method(path, found) for path, found in folders.items()] if is_seeded else []


def method_result_rows(methods: Sequence[Method]) -> list[list[str]]:
    """Return a header and, per method, mean and standard deviation over seeds of every metric."""
    names = methods[0].results[0].metric_names
    rows = [["mean ± spread over seeds", *names]]
    for method in methods:
        cells = []
        for name in names:
            values = method.values(name)
            spread = f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else ""
            cells.append(f"{values.mean():.2f}{spread}")
        rows.append([method.label, *cells])
    return rows


def compared_result_labels(results: Sequence[Result]) -> list[str]:
    """Return one label per result, in their order; of those that share a name, the folder's name tells them apart."""
    counts = Counter(result.name for result in results)
    return [result.name if counts[result.name] == 1 else _folder(result) for result in results]


def _folder(result: Result) -> str:
    path = result.path.resolve()
    return f"{path.parent.name}/{path.name}" if path.name.startswith(SEED) else path.name
