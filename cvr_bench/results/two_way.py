"""Text-to-video and video-to-text results of one model in one row: the table of DRL's README.

    config      T2V R@1  R@5  R@10  MdR  MnR   V2T R@1  R@5  R@10  MdR  MnR   devices  hours

Results in one folder are of one configuration, which is called after the folder where several are compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvr_bench.results.published import RANKS
from cvr_bench.results.result import Result
from cvr_bench.results.text_table import result_text_table
from cvr_data.core.errors import CvrError, first_few

DIRECTIONS = ("T2V", "V2T")
MARK = " (video to text"
"""In the names of tasks that rank texts."""


@dataclass(frozen=True)
class TwoWayRow:
    """One configuration."""

    config: str
    to_video: Result | None
    to_text: Result | None

    @property
    def training(self) -> dict[str, Any] | None:
        """What is recorded of its training, which one of the two results did; None where neither did."""
        found = [result.record["training"] for result in (self.to_video, self.to_text) if result is not None]
        return next((training for training in found if training), None)


def _two_way_rows(results: Sequence[Result]) -> list[TwoWayRow]:
    """Return a row per configuration, in the order in which they come.

    Raises:
        CvrError: results are of several benchmarks, or two of one configuration go the same way.
    """
    tasks = list(dict.fromkeys(result.record["task"]["name"].partition(MARK)[0] for result in results))
    if len(tasks) > 1:
        raise CvrError(f"One table is of one benchmark; these results are of {first_few(tasks)}.")
    folders = {result.path.resolve().parent for result in results}
    found: dict[tuple[Path, str], list[Result | None]] = {}
    for result in results:
        folder = result.path.resolve().parent
        pair = found.setdefault((folder, result.model), [None, None])
        way = int(MARK in result.record["task"]["name"])
        if (other := pair[way]) is not None:
            raise CvrError(f"{other.path} and {result.path} are both {DIRECTIONS[way]} of {result.model}.")
        pair[way] = result
    rows = []
    for (folder, model), (to_video, to_text) in found.items():
        name = model if len(folders) == 1 else folder.name if len(folders) == len(found) else f"{folder.name}/{model}"
        rows.append(TwoWayRow(name, to_video, to_text))
    return rows


def format_two_way_results(results: Sequence[Result], *, markdown: bool = False) -> str:
    """Return the table as aligned text or as Markdown; what was not measured is a dash."""
    recalls = [f"R@{k}" for k in results[0].ks]
    header = ["config", *(f"{way} {name}" for way in DIRECTIONS for name in (*recalls, *RANKS)), "devices", "hours"]
    rows = [
        [
            row.config,
            *_two_way_cells(row.to_video, recalls),
            *_two_way_cells(row.to_text, recalls),
            *_training_cost(row.training),
        ]
        for row in _two_way_rows(results)
    ]
    if markdown:
        ruler = ["---", *("---:" for _ in header[1:])]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ruler, *rows))
    return result_text_table([header, *rows], numbers=True)


def _two_way_cells(result: Result | None, recalls: Sequence[str]) -> list[str]:
    if result is None:
        return ["-"] * (len(recalls) + len(RANKS))
    values = [f"{result.interval(name).value:.1f}" for name in recalls]
    return [*values, *(f"{result.record[name]:.1f}" for name in RANKS)]


def _training_cost(training: dict[str, Any] | None) -> list[str]:
    if training is None:
        return ["-", "-"]
    return [f"{training.get('devices', 1)} {training['device']}", f"{training['seconds'] / 3600:.2f}"]
