"""What of each benchmark is on this machine: annotations, media and features, and what would fetch the rest.

Annotations are there if the benchmark's own reader finds its files; media and features are counted against the ids of
the queries and the gallery that those files name.
"""

import dataclasses
import itertools
import os
import typing
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cvr_bench.benchmarks import BENCHMARKS, BenchmarkModule, KeepsTargets
from cvr_bench.data.benchmark import data_option_names
from cvr_bench.tasks.task import Task
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.machine import Machine
from cvr_data.core.registry import parse_config
from cvr_data.download.items import MEDIA_SUFFIXES, download_file_name
from cvr_data.download.source import Kind, Source, download_source_names, load_download_source
from cvr_data.download.status import read_download_status
from cvr_data.features.index import STAGE, feature_store_video_ids

FEATURE_SUFFIXES = frozenset({".npy", ".npz", ".pth", ".pt"})
"""Files that hold the features of one item."""
VARIED = ("split", "category")
"""Options that name parts of a benchmark."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkPart:
    """One split (or category of it) of a benchmark."""

    label: str
    state: Literal["here", "missing", "unreadable"]
    detail: str
    """The files that were read, or what is wrong."""
    ids: frozenset[str] = frozenset()
    """Videos or images that its queries and gallery name."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How many of the named ids something is there for."""

    place: Path
    found: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class Status:
    """What of one benchmark is here."""

    name: str
    root: Path
    origin: str
    """Which setting gave the root."""
    parts: Sequence[BenchmarkPart]
    named: int
    """Videos or images that the annotations name."""
    media: Sequence[Coverage] = ()
    features: Sequence[Coverage] = ()
    looked_in: Sequence[Path] = ()
    """Folders where media and features would be found."""
    asked: dict[str, int] = field(default_factory=dict)
    """What earlier downloads of its media came to: status -> files."""
    steps: Sequence[str] = ()
    """Commands and steps that would fetch the rest."""


def bench_data_status(names: Sequence[str], machine: Machine, embeddings: Sequence[Path] = ()) -> list[Status]:
    """Return what is here of the named benchmarks, or of all.

    Raises:
        CvrError: a name is no benchmark, or a folder of `embeddings` is none.
    """
    for name in names:
        if name.replace("_", "-") not in data_option_names():
            raise CvrError(f"Unknown benchmark {name!r}. {did_you_mean(name, data_option_names())}")
    stores = {path: feature_store_video_ids(path) for path in embeddings}
    return [_benchmark_status(name.replace("_", "-"), machine, stores) for name in names or data_option_names()]


def _benchmark_status(name: str, machine: Machine, stores: dict[Path, set[str]]) -> Status:
    root = machine.root(name)
    parts = _status_parts(BENCHMARKS.get(name), root)
    ids = frozenset().union(*(part.ids for part in parts))
    media_folders = [folder for folder in machine.media_folders(name) if folder.is_dir()]
    media = [_coverage_of_features(folder, ids, MEDIA_SUFFIXES) for folder in media_folders]
    features = [found for folder in machine.features_folders(name) for found in _status_of_features(folder, ids)]
    features += [Coverage(place=path, found=len(ids & known), wanted=len(ids)) for path, known in stores.items()]
    asked: Counter[str] = Counter(row.status for folder in media_folders for row in read_download_status(folder))
    return Status(
        name=name,
        root=root,
        origin=machine.root_origin(name),
        parts=parts,
        named=len(ids),
        media=media,
        features=features,
        looked_in=[*machine.media_folders(name), *machine.features_folders(name)],
        asked=asked,
        steps=_steps_to_get(name, parts, media, features),
    )


def _status_parts(dataset: BenchmarkModule, root: Path) -> list[BenchmarkPart]:
    """One part per split and category; another gallery is one more where only one of the two has its files."""
    parts = []
    for options in _combinations(dataset.Config, VARIED):
        first, *others = [
            _status_part(dataset, root, options | gallery) for gallery in _combinations(dataset.Config, ("gallery",))
        ]
        parts.append(dataclasses.replace(first, label=" ".join(options.values()) or "all"))
        parts += [part for part in others if {part.state, first.state} == {"here", "missing"}]
    return parts


def _status_part(dataset: BenchmarkModule, root: Path, options: dict[str, str]) -> BenchmarkPart:
    label = " ".join(value if key in VARIED else f"{key}={value}" for key, value in options.items())
    fields = {item.name for item in dataclasses.fields(dataset.Config)}
    counts = {"counts": "any"} if "counts" in fields else {}
    try:
        config = parse_config(dataset.Config, {"annotations": str(root), **counts, **options}, where=dataset.__name__)
        files = dataset.files(config)
    except CvrError as error:
        return BenchmarkPart(label=label, state="missing", detail=str(error))
    try:
        task = _load_published(dataset, config)
    except CvrError as error:
        return BenchmarkPart(label=label, state="unreadable", detail=str(error))
    names = ", ".join(path.relative_to(root).as_posix() for path in files if path.is_relative_to(root))
    items = itertools.chain(task.gallery, (query.reference for query in task.queries if query.reference is not None))
    ids = frozenset(item.video.video_id for item in items if item.video is not None)
    return BenchmarkPart(label=label, state="here", detail=names, ids=ids)


def _load_published(dataset: BenchmarkModule, config: Any) -> Task:
    try:
        return dataset.load(config)
    except CvrError:
        # A split whose targets a server keeps is read without them.
        if not isinstance(dataset, KeepsTargets):
            raise
    return dataset.load_blind(config)


def _combinations(config_class: type, names: Iterable[str]) -> list[dict[str, str]]:
    """Every combination of the values of the Config's choices of these names; the default values come first."""
    hints = typing.get_type_hints(config_class)
    choices = {name: values for name in names if (values := typing.get_args(hints.get(name)))}
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def _status_of_features(folder: Path, ids: frozenset[str]) -> list[Coverage]:
    """Features in a folder: artifacts of `cvr embed` in it, else one file per item in each of its subfolders."""
    if not folder.is_dir():
        return []
    found = []
    for place in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        if (place / MANIFEST).exists():
            if open_artifact(place).stage.startswith(STAGE):
                known = feature_store_video_ids(place)
                found.append(Coverage(place=place, found=len(ids & known), wanted=len(ids)))
        elif place != folder or any(path.suffix in FEATURE_SUFFIXES for path in folder.iterdir()):
            found.append(_coverage_of_features(place, ids, FEATURE_SUFFIXES))
    return found


def _coverage_of_features(folder: Path, ids: frozenset[str], suffixes: frozenset[str]) -> Coverage:
    known = _names_below(folder, suffixes)
    found = sum(
        not known.isdisjoint((item_id, download_file_name(item_id, ""), item_id.rpartition("/")[2])) for item_id in ids
    )
    return Coverage(place=folder, found=found, wanted=len(ids))


def _names_below(folder: Path, suffixes: frozenset[str]) -> set[str]:
    """The ids that files below a folder may have: relative path and name, without suffix or (COCO) leading zeros.

    A folder of frames stands for its clip.
    """
    names: set[str] = set()
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = Path(here).relative_to(folder)
        stems = [Path(name).stem for name in files if Path(name).suffix.lower() in suffixes]
        if stems and relative.name:
            names.add(relative.name)
        names.update(stems)
        names.update((relative / stem).as_posix() for stem in stems)
        names.update(stem.lstrip("0") for stem in stems if stem.isdigit())
    return names


def _steps_to_get(
    name: str, parts: Sequence[BenchmarkPart], media: Sequence[Coverage], features: Sequence[Coverage]
) -> list[str]:
    if name not in download_source_names():
        return []
    source, steps = load_download_source(name), []
    if any(part.state == "missing" for part in parts):
        steps += _step_to_get(source, "annotations")
    if not any(coverage.wanted and coverage.found == coverage.wanted for coverage in (*media, *features)):
        for kind in typing.cast(tuple[Kind, ...], ("videos", "images", "features")):
            steps += _step_to_get(source, kind)
    return steps


def _step_to_get(source: Source, kind: Kind) -> list[str]:
    entries = source.parts.get(kind, ())
    if not entries:
        return []
    by_hand = sum(entry.manual is not None for entry in entries)
    meaning = "" if not by_hand else "  (by hand: it says how)" if by_hand == len(entries) else "  (some by hand)"
    return [f"cvr download {kind} {source.name}{meaning}"]
