"""FineCVR: composed video retrieval with modification texts about static and action changes.

Triplets are tab-separated without header or quoting: row, reference, target, modification text, source, class. The
remapped files name videos by number, and id2vdoname_<split>.json gives their names, by which features are stored. The
gallery is every video of that map (without it, those that the triplets name); a query's own reference is left out. Rows
with the same reference and text but other targets count one by one, as in the released code.

Paper: Wu et al., FDCA, ICLR 2025 (https://openreview.net/forum?id=wGa2plE8ka). Licence: none stated. Files: the links
in https://github.com/May2333/FDCA. No count is checked, because none is published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvr_bench.datasets._composed import Reference, Row, composed_task, named_videos
from cvr_bench.datasets._files import find, read_json, read_tab_separated
from cvr_bench.protocol import Protocol
from cvr_bench.task import Task
from cvr_data.errors import CvrError, first_few

ORIGIN = "https://github.com/May2333/FDCA"


@dataclass(frozen=True, kw_only=True)
class Config:
    annotations: Path
    """The folder `annotations` of FineCVR, or the one above it."""
    split: Literal["test", "train"] = "test"
    """The split to score; there is no validation split."""
    ids: Literal["remapped", "names"] = "remapped"
    """remapped: test_remaped.txt with its id map; names: test.txt."""
    reference: Reference = "exclude"
    """Whether a query's own reference is left out of its ranking, as published."""


TINY: tuple[dict[str, str], ...] = ({}, {"ids": "names"})


def files(config: Config) -> list[Path]:
    """Return the triplets file and, where there is one, the map from ids to names.

    Raises:
        CvrError: one that is needed is missing.
    """
    stem = f"{config.split}_remaped" if config.ids == "remapped" else config.split
    triplets = find(config.annotations, f"{stem}.txt", f"annotations/{stem}.txt", origin=ORIGIN)
    names = triplets.parent / f"id2vdoname_{config.split}.json"
    if config.ids == "remapped":
        names = find(triplets.parent, names.name, origin=ORIGIN)
    return [triplets, names] if names.is_file() else [triplets]


def load(config: Config) -> Task:
    """Return the task.

    Raises:
        CvrError: a file is missing or cannot be read, or an id has no name.
    """
    triplets, *maps = files(config)
    names = _names(maps[0]) if maps else None
    rows = _rows(triplets, names if config.ids == "remapped" else None)
    gallery: Sequence[str] = list(names.values()) if names is not None else named_videos(rows)
    protocol = Protocol(gallery="listed" if names is not None else "named", reference=config.reference)
    return composed_task(f"finecvr-{config.split}", rows, gallery, protocol)


def _names(path: Path) -> dict[str, str]:
    """The map from "0", "1", ... to video names; the ids have no gap, as the released code needs."""
    names: Any = read_json(path)
    if not isinstance(names, dict) or set(names) != {str(number) for number in range(len(names))}:
        raise CvrError(f"{path} should map '0', '1', ... without a gap to the names of videos.")
    if len(set(names.values())) != len(names):
        raise CvrError(f"{path} gives one name to several ids.")
    return names


def _rows(path: Path, names: Mapping[str, str] | None) -> list[Row]:
    lines = read_tab_separated(path, at_least=4)
    if names is not None:
        unknown = sorted({cell for cells in lines for cell in cells[1:3]} - set(names))
        if unknown:
            raise CvrError(f"{path}: id {first_few(unknown)} has no name.")
    return [
        Row(
            query_id=f"row-{number}",
            reference_id=names[cells[1]] if names else cells[1],
            modification=cells[3],
            target_ids=(names[cells[2]] if names else cells[2],),
            slices={name: value for name, value in zip(("source", "class"), cells[4:6], strict=False) if value},
        )
        for number, cells in enumerate(lines)
    ]
