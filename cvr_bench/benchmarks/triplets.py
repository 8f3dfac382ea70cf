"""Any triplets of ours: what `cvr build-triplets` wrote, a data set on the Hub, or a published file (CSV or Parquet).

    load(Config(data=Path("annotations/quickstart")))       # the task of its test split

Rows that share `query_id` are one query with several targets. The gallery is every video of the split, which the videos
table tells; a file that comes without one ranks the videos its triplets name.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.tasks.composed import QueryRow, composed_task, task_query, task_videos
from cvr_bench.tasks.coverage import task_within_features
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Query, Task
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.formats import FORMATS
from cvr_data.pairs.distractors import distractors_by_type, mined_distractor_gallery
from cvr_data.tables import TRIPLETS, VIDEOS

if TYPE_CHECKING:  # torch, which reading triplets does not need
    from cvr_bench.models.parts.batches import TrainingSet
    from cvr_data.features.store import FeatureStore

STAGES = ("triplets", "build-triplets")
READERS = {".csv": "webvid-covr", ".parquet": "parquet"}
SEVERAL = "several"
DESCRIPTION = "reference_description"


@dataclass(frozen=True, kw_only=True)
class Config:
    data: Path
    """A triplets folder, a CSV or Parquet file, or a folder of them."""
    embeddings: Path | None = None
    """Whose videos can be ranked; None takes all videos to be readable."""
    videos: tuple[Path, ...] = ()
    """The videos artifacts that say which split a video is in."""
    split: Literal["train", "val", "test"] = "test"
    """The split to score."""
    distractors: tuple[Path, ...] = ()
    """Made by `cvr mine-distractors`: their videos join the gallery."""
    reference: Literal["exclude", "keep"] = "exclude"
    """Whether the query's own video is left out of its ranking."""


EXAMPLE = {"": (2, 4), "reference=keep": (2, 4), "split=val": (1, 2)}


def files(config: Config) -> list[Path]:
    check_benchmark_triplets(config.data)
    return [config.data]


def load(config: Config) -> Task:
    return benchmark_of_triplets(read_benchmark_triplets(config.data), config)


def benchmark_of_triplets(
    triplets: pa.Table, config: Config, store: "FeatureStore | None" = None, listed: pa.Table | None = None
) -> Task:
    """Return the task of one split of some triplets, whose `config.data` is only their name here.

    `store` and `listed` are what `config.embeddings` and `config.videos` name, where that is open already.

    Raises:
        CvrError: there is no row of the split, or none that can be scored.
    """
    rows = _query_rows(benchmark_rows_of_split(triplets, config.split, config.data))
    listed = benchmark_video_splits(config.videos) if listed is None else listed
    is_listed = listed.column("split").null_count < listed.num_rows
    of_split = listed.filter(pc.equal(listed.column("split"), config.split)).column("video_id").to_pylist()
    kinds = _distractor_kinds(config.distractors)
    gallery = sorted({*task_videos(rows), *of_split, *kinds})
    protocol = Protocol(gallery=_gallery(config, is_listed=is_listed), reference=config.reference)
    names = list(dict.fromkeys(name for row in rows for name in row.slices))
    task = composed_task(benchmark_task_name(config.data), rows, gallery, protocol, slice_names=names)
    asked = {query.query_id for query in task.queries}
    task = replace(task, distractor_kinds=kinds, distractor_types=distractors_by_type(config.distractors, asked))
    store = store or _store(config)
    return task if store is None else task_within_features(task, store)


def _distractor_kinds(folders: Sequence[Path]) -> dict[str, str]:
    """Video -> the name of the first folder that has it: distractors of several kinds are mined to several folders."""
    return {
        video_id: path.resolve().name for path in reversed(folders) for video_id in mined_distractor_gallery([path])
    }


def benchmark_video_splits(folders: Sequence[Path]) -> pa.Table:
    """Return the id and the split of all videos of some artifacts."""
    columns = pa.schema([VIDEOS.field("video_id"), VIDEOS.field("split")])
    tables = [check_columns(open_artifact(path).read(), VIDEOS, str(path)).select(columns.names) for path in folders]
    return pa.concat_tables([columns.empty_table(), *tables])


def _query_rows(triplets: pa.Table) -> list[QueryRow]:
    """Return the queries of triplets; rows that share `query_id` are one, with several targets."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    names = ("reference_id", "target_id", "modification", DESCRIPTION, "frame_scores", "style", "backend", "changes")
    for row in _with_description(triplets).select(["query_id", *names]).to_pylist():
        rows[row["query_id"]].append(row)
    return [
        QueryRow(
            query_id=name,
            reference_id=same[0]["reference_id"],
            modification=same[0]["modification"],
            target_ids=tuple(dict.fromkeys(row["target_id"] for row in same)),
            description=same[0][DESCRIPTION],
            frame_scores=_frame_scores(same),
            slices=_slices(same),
        )
        for name, same in rows.items()
    ]


def benchmark_triplets_to_learn(
    triplets: pa.Table, config: Config, store: "FeatureStore | None" = None
) -> "TrainingSet":
    """Return the triplets of a split to learn from; those about videos without features are left out.

    `config.data` is only their name here, and `store` is that of `config.embeddings`, where it is open already.

    Raises:
        CvrError: there is none.
    """
    from cvr_bench.models.parts.batches import TrainingSet

    rows = benchmark_rows_of_split(triplets, config.split, config.data)
    if store := store or _store(config):
        is_known = [store.has_videos(rows.column(name).to_pylist()) for name in ("reference_id", "target_id")]
        rows = rows.filter(pa.array(is_known[0] & is_known[1]))
    rows = _with_description(rows)
    columns = (DESCRIPTION, "target_caption", "frame_scores", "backend", "style")
    return TrainingSet.from_table(rows, extra=[name for name in columns if name in rows.column_names])


def benchmark_train_queries(triplets: pa.Table, store: "FeatureStore") -> list[Query]:
    """Return the train queries whose references have features; none where the triplets have no such split."""
    rows = triplets.filter(pc.equal(triplets.column("split"), "train"))
    rows = rows.filter(pa.array(store.has_videos(rows.column("reference_id").to_pylist())))
    return [task_query(row) for row in _query_rows(rows)]


def check_benchmark_triplets(path: Path) -> None:
    """Refuse a path that holds no triplets, without reading them.

    Raises:
        CvrError: there is nothing, or something else.
    """
    if not path.exists():
        raise CvrError(f"{path} does not exist.")
    if (path / MANIFEST).exists():
        artifact = open_artifact(path)
        if artifact.stage not in STAGES:
            raise CvrError(f"{path} was made by {artifact.stage!r}; triplets are made by cvr build-triplets.")
    elif _reader(path) is None:
        raise CvrError(f"{path} holds no triplets: neither an artifact nor a {' or '.join(READERS)} file.")


def read_benchmark_triplets(path: Path) -> pa.Table:
    """Return the triplets of a folder or file.

    Raises:
        CvrError: there is none, another artifact lies there, or a column is missing.
    """
    check_benchmark_triplets(path)
    name = _reader(path)
    if (path / MANIFEST).exists() and (name is None or any(path.glob("part-*.parquet"))):
        return check_columns(open_artifact(path).read(), TRIPLETS, str(path))
    reader = FORMATS.get(str(name))
    return check_columns(reader.read(reader.Config(), path), TRIPLETS, str(path))


def _reader(path: Path) -> str | None:
    """The format of a file, or of the files in a folder."""
    for suffix, name in READERS.items():
        if path.suffix == suffix or (path.is_dir() and any(path.glob(f"*{suffix}"))):
            return name
    return None


def benchmark_rows_of_split(triplets: pa.Table, split: str, where: Path) -> pa.Table:
    """Return the rows of a split. Raises CvrError: there is none; the splits that are there are named."""
    rows = triplets.filter(pc.equal(triplets.column("split"), split))
    if not rows.num_rows:
        counts = sorted(triplets.column("split").value_counts().to_pylist(), key=lambda entry: entry["values"])
        found = ", ".join(f"{entry['values']} {entry['counts']}" for entry in counts) or "none at all"
        raise CvrError(f"{where} has no triplet of split {split!r} (it has: {found}).")
    return rows


def benchmark_task_name(path: Path) -> str:
    """Return what a data set is called in tables and folder names."""
    return path.resolve().stem if path.suffix in READERS else path.resolve().name


def _gallery(config: Config, *, is_listed: bool) -> Literal["split", "named", "split+distractors", "named+distractors"]:
    if config.distractors:
        return "split+distractors" if is_listed else "named+distractors"
    return "split" if is_listed else "named"


def _store(config: Config) -> "FeatureStore | None":
    from cvr_data.features.store import FeatureStore

    return FeatureStore.open(config.embeddings, space="raw") if config.embeddings else None


def _with_description(rows: pa.Table) -> pa.Table:
    """Return the rows with what describes the reference to models that read it: else its caption, else null."""
    captions = rows.column("reference_caption")
    known = rows.column(DESCRIPTION) if DESCRIPTION in rows.column_names else captions
    return with_column(rows, DESCRIPTION, pc.coalesce(known, captions))


def _frame_scores(rows: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    """Annotated scores of the frames of a query's target, if it has but one."""
    is_single = len({row["target_id"] for row in rows}) == 1
    annotated = [tuple(row["frame_scores"]) for row in rows if row["frame_scores"]]
    return annotated[-1] if is_single and annotated else ()


def _slices(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What a query is counted under; values on which its rows disagree are `several`."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        changes: Sequence[Mapping[str, str | None]] = row["changes"] or ()
        values: dict[str, set[str | None]] = {
            "kind": {change["kind"] for change in changes},
            "slot": {change["slot"] for change in changes},
            "backend": {row["backend"]},
            "style": {row["style"]},
            "changes": {str(len(changes))} if changes else set(),
        }
        for name, of_row in values.items():
            found[name].update(value for value in of_row if value)
    return {name: min(values) if len(values) == 1 else SEVERAL for name, values in found.items() if values}
