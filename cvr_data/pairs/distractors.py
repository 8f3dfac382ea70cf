"""Gallery videos that mislead: they share a query's concepts and answer no query of the test set.

A distractor belongs to a query, not to a pair, and needs the finished triplets; so this is a stage of its own and no
pair-mining strategy. Candidates share the most content words with the captions of reference and target, rare words
counting more. What may answer any query of the set is dropped: near-duplicates of a target, and captions that are too
close to a target's or have all its content words.

hardness = likeness of candidate and reference + likeness of the candidate's and the target's caption
           - (likeness of target and reference + 1)

Rows say what kind of distractor a video is and which words prove it wrong (`pairs.distractor_types`); of each kind the
hardest is kept first. Clips of the reference's recording and videos that look like it are candidates too.

A model that adds likeness to the reference to likeness to a perfect text scores the candidate by the first two terms,
and the target by the others: from 0 on the candidate ranks before the target. Likeness is the cosine of the videos
where features of both are stored, else of their captions; captions are compared by MiniLM.
"""

# Shapes: N candidates of queries, D embedding.

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import Bucket, artifact_bucket_table, hash_bucket_keys
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import ByColumn, KeyedStep, Side, Step
from cvr_data.core.whole_files import parquet_bytes, read_parquet
from cvr_data.language.stop_words import FUNCTION_WORDS
from cvr_data.language.words import words_of
from cvr_data.pairs.distractor_types import TYPES, missing_distractor_types
from cvr_data.pairs.judged_candidates import (
    Config,
    distractor_store,
    judged_distractors,
    pair_ends_of,
    refused_distractors,
)
from cvr_data.pairs.needs_both import WantedShare, only_needed_distractors
from cvr_data.pairs.search.shared_words import (
    QUERY_COLUMNS,
    best_candidates,
    candidates,
    caption_words,
    load_mining_caption_words,
)
from cvr_data.tables import DISTRACTORS, TRIPLETS, VIDEOS

if TYPE_CHECKING:
    from cvr_data.features.store import FeatureStore

MOST = 20
"""Videos of each of the two, per query."""
FIRST = 1e6
"""Score above that of any shared words, so that these are looked at before them."""

STAGE = "mine-distractors"
VERSION = 4
POOL_COLUMNS = ("video_id", "captions", "split", "group_id", "recording_id")
POOL = pa.schema([VIDEOS.field(name) for name in POOL_COLUMNS])
ADDED = ("needs_both", "other_splits")
"""Options that older folders lack: manifests name them where they are not the default."""
BUCKET_VALUES = 100_000
"""Candidates of queries that are looked at together: their captions are encoded, with those of all targets."""


def mine_distractors(
    triplets: Path, videos: Path, embeddings: Path | None, config: Config, out: Path, *, overwrite: bool
) -> Artifact:
    """Write the distractors of a test set, and every refused candidate with its reason.

    Raises:
        CvrError: no triplet of the split, a column is missing, or `out` holds another thing.
    """
    inputs = {"triplets": triplets, "videos": videos, **({"embeddings": embeddings} if embeddings else {})}
    if config.needs_both and embeddings is None:
        raise CvrError("needs_both is asked of features: pass --embeddings.")
    defaults = {option.name: option.default for option in fields(Config)}
    asked = {name: value for name, value in config_dict(config).items()
             if name not in ADDED or value != defaults[name]}  # fmt: skip
    stage = StageRun(out, stage=STAGE, version=VERSION, config=asked, inputs=inputs, overwrite=overwrite)
    if (done := stage.finished()) is not None:
        return done
    source = open_artifact(triplets, "build-triplets")
    if not any(config.split in read_parquet(path, ["split"])["split"].to_pylist() for path in source.part_paths):
        raise CvrError(f"{triplets} has no triplet of split {config.split!r}.")
    rows = stage.read(triplets, required=[field.name for field in TRIPLETS if not field.nullable])
    pool = stage.read(videos, POOL_COLUMNS, ["video_id", "captions"])
    with stage:
        found, queries, recordings = _mined_distractors(stage, rows, pool, config, embeddings)
        extra: dict[str, Any] = {}
        if config.needs_both and embeddings is not None:
            wanted = WantedShare(config.needs_both, config.split, videos, embeddings)
            found, extra["needs_both"] = only_needed_distractors(stage, found, source, wanted)
        stage.write_parts(found)
        kept = pa.concat_tables(
            [read_parquet(path, ["query_id", "video_id", "distractor_type"]) for path in stage.part_paths()]
        )
        told = _told_types(stage, kept, queries, recordings, has_features=embeddings is not None)
        return stage.finish(videos=len(pc.unique(kept.column("video_id"))), types=told, **extra)


def _told_types(
    stage: StageRun, kept: pa.Table, queries: Side, recordings: Side, *, has_features: bool
) -> dict[str, Any]:
    """Write which types queries lack, and why; return how many queries have each, and the reasons of the others."""
    asked, of_references = (side.load(*side.arguments) for side in (queries, recordings))
    names = ["query_id", "distractor_type", "drop_reason"]
    tables = [read_parquet(path) for path in sorted(stage.out.glob("dropped-*.parquet"))]
    lost = [table.select(names) for table in tables if set(names) <= set(table.column_names)]
    dropped = pa.concat_tables(lost) if lost else pa.table({name: pa.array([], pa.string()) for name in names})
    missing = missing_distractor_types(asked, kept, dropped, of_references, has_features=has_features)
    stage.writer.write_file("missing-types.parquet", parquet_bytes(missing))
    reasons = missing.group_by(["distractor_type", "reason"]).aggregate([("query_id", "count")]).to_pylist()
    return {
        name: {
            "queries": len(pc.unique(kept.filter(pc.equal(kept.column("distractor_type"), name)).column("query_id"))),
            "missing": {row["reason"]: row["query_id_count"] for row in sorted(reasons, key=lambda row: row["reason"])
                        if row["distractor_type"] == name},
        }
        for name in TYPES
    }  # fmt: skip


def _mined_distractors(
    stage: StageRun, triplets: Flow, videos: Flow, config: Config, embeddings: Path | None
) -> tuple[Flow, Side, Side]:
    """Return a row per query and candidate, the queries, and the recordings of videos.

    The refused have been dropped, the videos that can be none before them.
    """
    triplets = triplets.then(Step(name="read", run=_checked_distractor_input, config=TRIPLETS, is_counted=False))
    of_split = Step(name="queries", run=_of_split, config=config.split, makes_rows=True, is_counted=False)
    queries = stage.side(triplets.then(of_split), load_distractor_queries)
    ids = Step(name="used videos", run=_query_ids_for_distractors, makes_rows=True, is_counted=False)
    used = stage.side(triplets.then(ids), load_distractor_hashes)
    pool = videos.then(Step(name="read", run=_checked_distractor_input, config=POOL, is_counted=False))
    of_videos = Step(name="recordings", run=_recordings_of_distractors, makes_rows=True, is_counted=False)
    recordings = stage.side(pool.then(of_videos), load_distractor_recordings)
    pool = stage.rested(pool.then(Step(name="pool", run=refused_distractors, config=config, sides=(queries, used))))
    counted = Step(name="words", run=caption_words, makes_rows=True, is_counted=False)
    words = stage.side(pool.then(counted), load_mining_caption_words)
    about: dict[str, Any] = {"config": config.candidates, "makes_rows": True, "is_counted": False}
    found = pool.then(Step(name="candidates", run=candidates, sides=(queries, words), **about))
    like = Step(
        name="like",
        run=_like_candidates,
        config=embeddings,
        sides=(queries, recordings),
        makes_rows=True,
        is_counted=False,
    )
    best = KeyedStep(
        name="best",
        run=best_candidates,
        key=ByColumn("query_id"),
        sides=(queries,),
        bucket_values=BUCKET_VALUES,
        **about,
    )
    met = stage.meet([found, pool.then(like)], best)
    last = Step(name=STAGE, run=judged_distractors, config=(config, embeddings), sides=(queries, recordings, used))
    return met.then(last), queries, recordings


def _checked_distractor_input(schema: pa.Schema, part: pa.Table) -> pa.Table:
    return check_columns(part, schema, "input")


def _of_split(split: str, triplets: pa.Table) -> pa.Table:
    groups = ("reference_group_id", "target_group_id", "triplet_id")
    return triplets.filter(pc.equal(triplets.column("split"), split)).select([*QUERY_COLUMNS, *groups])


def load_distractor_queries(bucket: Bucket) -> pa.Table:
    """Return the triplets of the split, in the order of their ids."""
    return artifact_bucket_table(bucket).sort_by("triplet_id")


def _query_ids_for_distractors(config: Any, triplets: pa.Table) -> pa.Table:
    return pa.table({"hash": np.unique(hash_bucket_keys(pair_ends_of(triplets, "id")))})


def load_distractor_hashes(bucket: Bucket) -> np.ndarray:
    """Return the hashes of all videos that triplets use."""
    return np.unique(artifact_bucket_table(bucket).column("hash").to_numpy())


def _recordings_of_distractors(config: Any, pool: pa.Table) -> pa.Table:
    return pool.select(["video_id", "recording_id"])


def mined_distractor_gallery(folders: Sequence[Path]) -> set[str]:
    """Return the ids of all videos that mined distractors add to a gallery.

    Raises:
        CvrError: a folder was not made by `cvr mine-distractors`.
    """
    tables = [check_columns(open_artifact(path, STAGE).read(), DISTRACTORS, str(path)) for path in folders]
    return {video_id for table in tables for video_id in table.column("video_id").to_pylist()}


def distractors_by_type(folders: Sequence[Path], query_ids: Set[str]) -> dict[str, dict[str, frozenset[str]]]:
    """Return type -> query -> its distractors of that type, of some queries; folders made before types were have none.

    Raises:
        CvrError: a folder was not made by `cvr mine-distractors`.
    """
    found: dict[str, dict[str, set[str]]] = {}
    for path in folders:
        table = check_columns(open_artifact(path, STAGE).read(), DISTRACTORS, str(path))
        columns = (table.column(name).to_pylist() for name in ("query_id", "video_id", "distractor_type"))
        for query_id, video_id, name in zip(*columns, strict=True):
            if name and query_id in query_ids:
                found.setdefault(name, {}).setdefault(query_id, set()).add(video_id)
    return {name: {query_id: frozenset(ids) for query_id, ids in of.items()} for name, of in sorted(found.items())}


def _like_candidates(
    embeddings: Path | None, pool: pa.Table, queries: pa.Table, recordings: dict[str, str]
) -> pa.Table:
    """Return candidates that share no rare word with a query, as `shared_words.candidates` does: with a first caption.

    They are clips of its reference's recording (`recordings`: reference -> its recording) and videos that look like it.
    Of several triplets of one query, the first says what the query is about.
    """
    store = distractor_store(embeddings)
    pool = pool.sort_by("video_id")
    captions = [texts[0] if texts else "" for texts in pool.column("captions").to_pylist()]
    _, first = np.unique(queries.column("query_id").to_numpy(), return_index=True)
    asked = queries.take(pa.array(first)).to_pylist()
    of_recording: dict[str, list[int]] = defaultdict(list)
    for row, recording in enumerate(pool.column("recording_id").to_pylist()):
        if recording:
            of_recording[recording].append(row)
    alike = _distractors_alike(pool, [query["reference_id"] for query in asked], store)
    rows: list[dict[str, Any]] = []
    for query in asked:
        same = of_recording.get(recordings.get(query["reference_id"], ""), [])[:MOST]
        near = dict.fromkeys((*same, *alike.get(query["reference_id"], ())))
        words = {*words_of(query["reference_caption"] or ""), *words_of(query["target_caption"] or "")} - {
            *FUNCTION_WORDS
        }
        for row in near:
            shared = sorted(words & {*words_of(captions[row])})
            rows.append({"query_id": query["query_id"], "video_id": pool.column("video_id")[row].as_py(),
                         "caption": captions[row], "shared": shared, "score": FIRST})  # fmt: skip
    kinds = (pa.string(), pa.string(), pa.string(), pa.list_(pa.string()), pa.float64())
    names = ("query_id", "video_id", "caption", "shared", "score")
    return pa.Table.from_pylist(rows, schema=pa.schema(list(zip(names, kinds, strict=True))))


def _distractors_alike(pool: pa.Table, references: list[str], store: "FeatureStore | None") -> dict[str, list[int]]:
    """The rows of the part that look most like each reference."""
    if store is None:
        return {}
    ids = pool.column("video_id").to_pylist()
    wanted = sorted({*references})
    wanted = [name for name, has in zip(wanted, store.has_videos(wanted), strict=True) if has]
    rows = np.flatnonzero(store.has_videos(ids))
    if not len(rows) or not wanted:
        return {}
    part_BD = store.pooled([ids[row] for row in rows]).numpy()
    found = {}
    for name, query_D in zip(wanted, store.pooled(wanted).numpy(), strict=True):
        scores_B = part_BD @ query_D
        best = np.lexsort((rows, -scores_B.round(6)))[: MOST + 1]
        found[name] = [int(row) for row in rows[best] if ids[row] != name][:MOST]
    return found


def load_distractor_recordings(bucket: Any) -> dict[str, str]:
    """Return the recording of each video that lies there."""
    table = artifact_bucket_table(bucket)
    known = table.filter(pc.is_valid(table.column("recording_id")))
    return dict(zip(known.column("video_id").to_pylist(), known.column("recording_id").to_pylist(), strict=True))
