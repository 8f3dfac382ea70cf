"""Any triplets of ours: what `cvr build-triplets` wrote, a data set on the Hub, or a published file (CSV or Parquet).

    load(Config(data=Path("annotations/quickstart")))       # the task of its test split

Rows that share `query_id` are one query with several targets. The gallery is every video of the split, which the videos
table tells; a file that comes without one ranks the videos its triplets name.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.tasks.coverage import sampling
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Item, Missing, Query, Task
from cvr_data.core.artifacts import MANIFEST, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.features.stored_ids import stored_video_ids
from cvr_data.formats import FORMATS
from cvr_data.media.video import Video
from cvr_data.pairs.distractors import gallery_videos
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
    """Return what `load` reads.

    Raises:
        CvrError: it is missing, or holds no triplets.
    """
    check_triplets(config.data)
    return [config.data]


def load(config: Config) -> Task:
    """Return the task of one split.

    Raises:
        CvrError: the data cannot be read, has no row of the split, or none that can be scored.
    """
    return task_of(read_triplets(config.data), config)


def task_of(triplets: pa.Table, config: Config, store: "FeatureStore | None" = None) -> Task:
    """Return the task of one split of some triplets, whose `config.data` is only their name here.

    `store` is that of `config.embeddings`, where it is open already.

    Raises:
        CvrError: there is no row of the split, or none that can be scored.
    """
    rows = rows_of_split(triplets, config.split, config.data)
    store = store or _store(config)
    named = {*rows.column("reference_id").to_pylist(), *rows.column("target_id").to_pylist()}
    listed = _videos_of_split(config)
    wanted = sorted(named | (listed or set()) | gallery_videos(config.distractors))
    gallery = [video_id for video_id in wanted if store is None or store.has_video(video_id)]
    scored = _rows_within(rows, set(gallery))
    if not scored.num_rows:
        raise CvrError(f"{config.embeddings} has features of no query of {config.data}; pass --embeddings.")
    counts = {
        "gallery videos without features": len(wanted) - len(gallery),
        "queries about videos without features": _distinct(rows, "query_id") - _distinct(scored, "query_id"),
    }
    whole, kept = _targets(rows), _targets(scored)
    return Task(
        name=task_name(config.data),
        queries=_queries(scored),
        gallery=[Item(video_id, Video(video_id)) for video_id in gallery],
        targets=_targets(scored),
        protocol=Protocol(
            gallery=_gallery(config, is_listed=listed is not None),
            reference=config.reference,
            frames=sampling(store),
        ),
        slices=_slices(scored),
        target_frame_weights=_frame_weights(scored),
        left_out={what: count for what, count in counts.items() if count},
        missing=Missing(
            queries=len(whole) - len(kept),
            unranked=_unranked(set(wanted) - set(gallery), {name: whole[name] for name in kept}),
            partial=frozenset(name for name, ids in kept.items() if whole[name] - ids),
        ),
    )


def load_training_set(config: Config) -> "TrainingSet":
    """Return the triplets of a split to learn from; those about videos without features are left out.

    Raises:
        CvrError: there is none.
    """
    return training_set_of(read_triplets(config.data), config)


def training_set_of(triplets: pa.Table, config: Config, store: "FeatureStore | None" = None) -> "TrainingSet":
    """Return the same of some triplets, whose `config.data` is only their name here.

    `store` is that of `config.embeddings`, where it is open already.

    Raises:
        CvrError: there is none.
    """
    from cvr_bench.models.parts.batches import TrainingSet

    rows = rows_of_split(triplets, config.split, config.data)
    if store is not None:
        rows = _rows_within(rows, set(store.video_ids))
    elif config.embeddings:
        rows = _rows_within(rows, stored_video_ids(config.embeddings))
    rows = with_description(rows)
    columns = (DESCRIPTION, "target_caption", "frame_scores", "backend", "style")
    return TrainingSet.from_table(rows, extra=[name for name in columns if name in rows.column_names])


def load_queries(config: Config) -> list[Query]:
    """Return the distinct queries of a split whose references have features; none where it has no such row."""
    rows = read_triplets(config.data)
    rows = rows.filter(pc.equal(rows.column("split"), config.split))
    if config.embeddings:
        known = pa.array(sorted(stored_video_ids(config.embeddings)), pa.string())
        rows = rows.filter(pc.is_in(rows.column("reference_id"), known))
    return _queries(rows)


def check_triplets(path: Path) -> None:
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


def read_triplets(path: Path) -> pa.Table:
    """Return the triplets of a folder or file.

    Raises:
        CvrError: there is none, another artifact lies there, or a column is missing.
    """
    check_triplets(path)
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


def rows_of_split(triplets: pa.Table, split: str, where: Path) -> pa.Table:
    """Return the rows of a split.

    Raises:
        CvrError: there is none; the splits that are there are named.
    """
    rows = triplets.filter(pc.equal(triplets.column("split"), split))
    if not rows.num_rows:
        counts = sorted(triplets.column("split").value_counts().to_pylist(), key=lambda entry: entry["values"])
        found = ", ".join(f"{entry['values']} {entry['counts']}" for entry in counts) or "none at all"
        raise CvrError(f"{where} has no triplet of split {split!r} (it has: {found}).")
    return rows


def task_name(path: Path) -> str:
    """Return what a data set is called in tables and folder names."""
    return path.resolve().stem if path.suffix in READERS else path.resolve().name


def _gallery(config: Config, *, is_listed: bool) -> Literal["split", "named", "split+distractors", "named+distractors"]:
    if config.distractors:
        return "split+distractors" if is_listed else "named+distractors"
    return "split" if is_listed else "named"


def _videos_of_split(config: Config) -> set[str] | None:
    """The ids of all videos of the split; None where no table tells them."""
    found: set[str] = set()
    is_told = False
    for path in config.videos:
        videos = check_columns(open_artifact(path).read(), VIDEOS, str(path))
        is_told |= videos.column("split").null_count < videos.num_rows
        found.update(videos.filter(pc.equal(videos.column("split"), config.split)).column("video_id").to_pylist())
    return found if is_told else None


def _rows_within(rows: pa.Table, video_ids: set[str]) -> pa.Table:
    known = pa.array(sorted(video_ids), pa.string())
    is_known = [pc.is_in(rows.column(name), known) for name in ("reference_id", "target_id")]
    return rows.filter(pc.and_(*is_known))


def _store(config: Config) -> "FeatureStore | None":
    from cvr_data.features.store import FeatureStore

    return FeatureStore.open(config.embeddings, space="raw") if config.embeddings else None


def _distinct(rows: pa.Table, column: str) -> int:
    return pc.count_distinct(rows.column(column)).as_py()


def with_description(rows: pa.Table) -> pa.Table:
    """Return the rows with what describes the reference to models that read it: else its caption, else null."""
    captions = rows.column("reference_caption")
    if DESCRIPTION not in rows.column_names:
        return rows.append_column(DESCRIPTION, captions)
    place = rows.column_names.index(DESCRIPTION)
    return rows.set_column(place, DESCRIPTION, pc.coalesce(rows.column(DESCRIPTION), captions))


def _queries(rows: pa.Table) -> list[Query]:
    queries: dict[str, Query] = {}
    names = ["query_id", "reference_id", "modification", DESCRIPTION]
    for row in with_description(rows).select(names).to_pylist():
        reference = Item(row["reference_id"], Video(row["reference_id"]))
        query = Query(row["query_id"], reference, row["modification"], row[DESCRIPTION])
        queries.setdefault(row["query_id"], query)
    return list(queries.values())


def _targets(rows: pa.Table) -> dict[str, frozenset[str]]:
    targets: dict[str, set[str]] = defaultdict(set)
    for row in rows.select(["query_id", "target_id"]).to_pylist():
        targets[row["query_id"]].add(row["target_id"])
    return {query_id: frozenset(ids) for query_id, ids in targets.items()}


def _unranked(lost: set[str], targets: Mapping[str, frozenset[str]]) -> dict[str, int]:
    """query_id -> gallery videos without features that do not answer it."""
    return {name: len(lost) - len(ids & lost) for name, ids in targets.items()} if lost else {}


def _frame_weights(rows: pa.Table) -> dict[str, list[float]]:
    """Annotated scores of target frames, of queries that have one target."""
    found = zip(rows.column("query_id").to_pylist(), rows.column("frame_scores").to_pylist(), strict=True)
    single = {name for name, ids in _targets(rows).items() if len(ids) == 1}
    return {query_id: scores for query_id, scores in found if scores and query_id in single}


def _slices(rows: pa.Table) -> dict[str, dict[str, str]]:
    """Values of a query whose rows disagree are `several`."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    names = ["query_id", "style", "backend", "changes"]
    for row in rows.select(names).to_pylist():
        for name, values in _slice_values(row).items():
            found[name][row["query_id"]].update(values)
    return {
        name: {query_id: values.pop() if len(values) == 1 else SEVERAL for query_id, values in of_query.items()}
        for name, of_query in found.items()
    }


def _slice_values(row: Mapping[str, Any]) -> dict[str, Iterable[str]]:
    changes: Sequence[Mapping[str, str | None]] = row["changes"] or ()
    values: dict[str, set[str | None]] = {
        "kind": {change["kind"] for change in changes},
        "slot": {change["slot"] for change in changes},
        "backend": {row["backend"]},
        "style": {row["style"]},
        "changes": {str(len(changes))} if changes else set(),
    }
    known = {name: {value for value in of_row if value} for name, of_row in values.items()}
    return {name: of_row for name, of_row in known.items() if of_row}
