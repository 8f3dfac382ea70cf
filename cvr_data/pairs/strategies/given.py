"""Take the pairs from a CSV, TSV, JSONL or Parquet file, for those who have their own.

    cvr mine-pairs videos --strategy given -o path=my-pairs.csv
    cvr mine-pairs videos --strategy given -o path=pairs.parquet -o reference_caption=text -o changes=changes

Every row is checked against the videos; one that cannot be used is dropped with its reason. A caption that the file
does not give is the video's first one. `changes` is a list of {before, after}, each with kind and slot if known (in CSV
and TSV as JSON); without it, every span of words in which the captions differ is a change. The pairs are taken as they
stand: a pair in one direction stays in one direction.

The file is read from its start to its end; its rows meet the videos, and then each other, in buckets.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.core.files import Row, check_file, id_text, read_rows
from cvr_data.core.parts import Bucket, artifact_bucket_table, hash_bucket_keys
from cvr_data.core.runner import Flow
from cvr_data.core.stage_jobs import PIECE
from cvr_data.core.stages import ByColumn, ClaimStep, KeyedStep, Step
from cvr_data.language.words import clean_text, words_of
from cvr_data.pairs.search.differences import pair_differences
from cvr_data.tables import CHANGE, CHANGE_PHRASES, PAIRS, PHRASE, pair_id

VERSION = 2
NAME = "given"
MEET_BY = "pair"

EXAMPLE = {"a dog runs": ["a cat runs"], "a cat runs": [], "rain falls": []}

SCHEMA = pa.schema(
    [(name, PAIRS.field(name).type) for name in PAIRS.names[:7]]
    + [("drop_reason", pa.string()), ("detail", pa.string())]
)
"""Columns of the result; a dropped row has what the file gave."""
READ = pa.schema(
    [(name, pa.string()) for name in ("reference_id", "target_id", "reference_caption", "target_caption")]
    + [
        ("changes", pa.list_(CHANGE_PHRASES)),
        ("number", pa.int64()),
        ("where", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
"""Columns of what was read of a row, which is no result yet."""
SLICES = 16
"""Slices of the file, of 4,096 rows at most, that are a part."""
CLAIMED = 262_144
"""Claims on videos that are settled together: captions go back with each."""
SIDES = ("reference", "target")

PHRASES = ("before_phrase", "after_phrase")


@dataclass(frozen=True, kw_only=True)
class Config:
    path: Path
    """The file; its suffix says how it is read."""
    reference_id: str = "reference_id"
    """Column of the reference video's id."""
    target_id: str = "target_id"
    """Column of the target video's id."""
    reference_caption: str | None = None
    """Column of the reference's caption; where it is empty, the video's first caption is taken."""
    target_caption: str | None = None
    """Column of the target's caption, likewise."""
    changes: str | None = None
    """Column of the changes; where it is empty, they are the words that differ."""


def inputs(config: Config) -> dict[str, Path]:
    """Return the files it reads beside the videos.

    Raises:
        CvrError: the file is missing, empty, of an unknown kind, or lacks a column.
    """
    check_file(config.path, _columns_of_given_pairs(config))
    return {"given": config.path}


def mined(config: Config, videos: Flow, embeddings: Path | None = None) -> Flow:
    """Return one row per row of the file; `drop_reason` says why one cannot be used.

    Raises:
        CvrError: the file cannot be read.
    """
    rows = videos.run.made("read", partial(_given_pairs_in_parts, config))
    phrases = Step(name="phrases", run=_phrases_of_given_pairs, makes_rows=True, is_counted=False)
    has_phrases = videos.run.side(rows.then(phrases), given_pairs_have_phrases)
    joined = ClaimStep(
        name="videos", run=_with_videos, claims=_asked_pairs, settle=_answered_pairs, offers=_offered_pairs,
        per_value=2, bucket_values=CLAIMED, makes_rows=True, is_counted=False,
    )  # fmt: skip
    rows = videos.run.claimed(rows, joined, among=videos)
    return rows.then(
        KeyedStep(name=NAME, run=_checked_given_pairs, key=ByColumn("pair_id"), sides=(has_phrases,), makes_rows=True)
    )


def explain(config: Config, reference: str, target: str) -> str:
    """Return why two captions are not a pair: all that are, or were dropped, are rows of the result."""
    return f"not a pair: {config.path} does not have it"


def _columns_of_given_pairs(config: Config) -> set[str]:
    names = ("reference_id", "target_id", "reference_caption", "target_caption", "changes")
    return {column for name in names if (column := getattr(config, name))}


def _given_pairs_in_parts(config: Config) -> Iterator[pa.Table]:
    """Yield what was read of the rows, in parts."""
    waiting: list[pa.Table] = []
    number = count(1)
    for rows in read_rows(config.path, _columns_of_given_pairs(config)):
        read = [{**_named_given_pair(config, row), "number": next(number)} for row in rows]
        waiting.append(pa.Table.from_pylist(read, schema=READ))
        if len(waiting) == SLICES:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _named_given_pair(config: Config, row: Row) -> dict[str, Any]:
    ids = {
        name: clean_text(id_text(row.values.get(getattr(config, name))) or "") for name in ("reference_id", "target_id")
    }
    texts = {
        name: clean_text(str(row.values.get(getattr(config, name) or "") or "")) or None
        for name in ("reference_caption", "target_caption")
    }
    found: dict[str, Any] = {**ids, **texts, "reason": row.drop_reason, "detail": row.detail, "where": row.where}
    changes = row.values.get(config.changes or "")
    if found["reason"] is None and changes:
        found["changes"] = _read_changes(changes)
        if found["changes"] is None:
            found |= {"reason": "bad_changes", "detail": f"{row.where}: {changes!r} is no list of changes"}
    return found


def _read_changes(value: Any) -> list[dict[str, Any]] | None:
    """Return the changes of a list or its JSON; None if it is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, list) or not all(_is_change(change) for change in value):
        return None
    is_told = all(change.get("before") or change.get("after") for change in value)
    names = [*CHANGE.names, *(name for name in PHRASES if any(change.get(name) for change in value))]
    return [{name: _cleaned_given_pair(change.get(name)) for name in names} for change in value] if is_told else None


def _cleaned_given_pair(value: Any) -> Any:
    return (clean_text(value) if isinstance(value, str) else value) or None


def _is_change(change: Any) -> bool:
    """Whether it has fields of a change and no others, each of its type."""
    if not isinstance(change, dict) or not set(change) <= set(CHANGE_PHRASES.names):
        return False
    phrases = [phrase for name in PHRASES if (phrase := change.get(name)) is not None]
    if not all(isinstance(phrase, dict) and set(phrase) <= set(PHRASE.names) for phrase in phrases):
        return False
    try:
        pa.array([change], CHANGE_PHRASES)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


def _phrases_of_given_pairs(config: None, rows: pa.Table) -> pa.Table:
    changes = pc.list_flatten(rows.column("changes"))
    is_told = [pc.any(pc.is_valid(pc.struct_field(changes, name))).as_py() for name in PHRASES]
    return pa.table({"has_phrases": pa.array([any(is_told)])})


def given_pairs_have_phrases(bucket: Bucket) -> bool:
    """Return whether any change of the file has phrases: then all have the fields."""
    return any(artifact_bucket_table(bucket).column("has_phrases").to_pylist())


def _asked_pairs(config: None, rows: pa.Table) -> pa.Table:
    """Return a claim of each row on its two videos."""
    ids = pa.concat_arrays([rows.column(f"{side}_id").combine_chunks() for side in SIDES])
    numbers = np.tile(np.arange(rows.num_rows, dtype=np.uint32), 2)
    is_target = np.repeat([False, True], rows.num_rows)
    return pa.table({"key": hash_bucket_keys(ids), "row": numbers, "is_target": is_target, "asked": ids})


def _offered_pairs(config: None, videos: pa.Table) -> pa.Table:
    """Return the videos with their first captions."""
    lists = videos.column("captions").combine_chunks()
    has_some = pc.greater(pc.fill_null(pc.list_value_length(lists), 0), 0)
    firsts = pc.list_element(pc.if_else(has_some, lists, pa.scalar([None], lists.type)), 0)
    offers = videos.drop_columns(["captions"]).append_column("said", firsts)
    return offers.append_column("key", pa.array(hash_bucket_keys(videos.column("video_id"))))


def _answered_pairs(config: None, claims: pa.Table) -> pa.Table:
    """Return the claims on videos that there are, with what is known of them."""
    is_offer = pc.is_valid(claims.column("video_id"))
    offers, asked = claims.filter(is_offer), claims.filter(pc.invert(is_offer))
    rows = pc.index_in(asked.column("asked"), offers.column("video_id").combine_chunks())
    found = offers.drop_columns(["key", "row", "is_target", "asked", PIECE]).take(rows)
    for name in ("row", "is_target", PIECE):
        found = found.append_column(name, asked.column(name))
    return found.filter(pc.is_valid(found.column("video_id")))


def _with_videos(config: None, rows: pa.Table, found: pa.Table) -> pa.Table:
    """Return the rows with what is known of both videos, and the ids of the pairs."""
    for side, is_side in zip(SIDES, (pc.invert(found.column("is_target")), found.column("is_target")), strict=True):
        of_side = found.filter(is_side)
        places = pc.index_in(
            pa.array(np.arange(rows.num_rows, dtype=np.uint32)), of_side.column("row").combine_chunks()
        )
        for name in (name for name in of_side.column_names if name not in ("row", "is_target")):
            rows = rows.append_column(f"{side}_{name}", of_side.column(name).take(places))
        caption = pc.coalesce(rows.column(f"{side}_caption"), rows.column(f"{side}_said"))
        rows = with_column(rows.drop_columns([f"{side}_said"]), f"{side}_caption", caption)
    columns = [
        pc.fill_null(rows.column(f"{side}_{what}"), "").to_pylist() for what in ("id", "caption") for side in SIDES
    ]
    return rows.append_column("pair_id", pa.array(map(pair_id, *columns), pa.string()))


def _checked_given_pairs(config: None, rows: pa.Table, has_phrases: bool) -> pa.Table:
    """Return the rows of the result, sorted by the videos."""
    rows = rows.sort_by("number")
    seen: set[str] = set()
    told = [_judged_given_pair(row, seen) for row in rows.to_pylist()]
    changes = pa.field("changes", pa.list_(CHANGE_PHRASES if has_phrases else CHANGE))
    found = pa.Table.from_pylist(told, schema=SCHEMA.set(SCHEMA.get_field_index("changes"), changes))
    for name in (name for name in rows.column_names if name.startswith(SIDES) and name not in found.column_names):
        if not name.endswith("_video_id"):
            found = found.append_column(name, rows.column(name))
    found = found.append_column("split", rows.column("target_split"))
    return found.sort_by([("reference_id", "ascending"), ("target_id", "ascending"), ("pair_id", "ascending")])


def _judged_given_pair(row: dict[str, Any], seen: set[str]) -> dict[str, Any]:
    """Return a row of the result."""
    row |= {"strategy": NAME, "drop_reason": row["reason"]}
    problem = None if row["reason"] else _problem_of_given_pair(row, seen)
    if problem:
        row |= {"drop_reason": problem[0], "detail": f"{row['where']}: {problem[1]}"}
    elif row["reason"] is None:
        seen.add(row["pair_id"])
        if row["changes"] is None:
            row["changes"] = pair_differences(words_of(row["reference_caption"]), words_of(row["target_caption"]))
    return row


def _problem_of_given_pair(row: dict[str, Any], seen: set[str]) -> tuple[str, str] | None:
    for side in SIDES:
        video_id = row[f"{side}_id"]
        if not video_id:
            return f"no_{side}", f"no value in the column of {side} ids"
        if row[f"{side}_video_id"] is None:
            return f"unknown_{side}", f"no video {video_id!r}"
        if not row[f"{side}_caption"]:
            return "no_caption", f"neither the file nor the video {video_id!r} has a caption"
    if row["reference_id"] == row["target_id"]:
        return "same_video", f"{row['target_id']!r} is reference and target"
    if row["pair_id"] in seen:
        return "repeated_pair", "an earlier row is the same pair"
    return None
