"""Take the pairs from a CSV, TSV, JSONL or Parquet file, for those who have their own.

    cvr mine-pairs videos --strategy given -o path=my-pairs.csv
    cvr mine-pairs videos --strategy given -o path=pairs.parquet -o reference_caption=text -o changes=changes

Every row is checked against the videos; one that cannot be used is dropped with its reason. A caption that the file
does not give is the video's first one. `changes` is a list of {before, after}, each with kind and slot if known (in CSV
and TSV as JSON); without it, every span of words in which the captions differ is a change. The pairs are taken as they
stand: a pair in one direction stays in one direction.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.files import Row, check_file, id_text, read_rows
from cvr_data.language.words import clean_text, words_of
from cvr_data.pairs.search.differences import differences
from cvr_data.tables import CHANGE, CHANGE_PHRASES, PAIRS, PHRASE, pair_id

VERSION = 2
NAME = "given"

EXAMPLE = {"a dog runs": ["a cat runs"], "a cat runs": [], "rain falls": []}

SCHEMA = pa.schema(
    [(name, PAIRS.field(name).type) for name in PAIRS.names[:7]]
    + [("drop_reason", pa.string()), ("detail", pa.string())]
)
"""Columns of the result; a dropped row has what the file gave."""

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
    check_file(config.path, _columns(config))
    return {"given": config.path}


def run(config: Config, videos: pa.Table, embeddings: Path | None = None) -> pa.Table:
    """Return one row per row of the file, sorted by the videos; `drop_reason` says why one cannot be used.

    Raises:
        CvrError: the file cannot be read.
    """
    captions = dict(zip(videos.column("video_id").to_pylist(), videos.column("captions").to_pylist(), strict=True))
    seen: set[str] = set()
    given = (row for rows in read_rows(config.path, _columns(config)) for row in rows)
    rows = [_checked(_named(config, row), captions, seen) for row in given]
    order = [("reference_id", "ascending"), ("target_id", "ascending"), ("pair_id", "ascending")]
    has_phrases = any(name in change for row in rows for change in row.get("changes") or () for name in PHRASES)
    place = SCHEMA.get_field_index("changes")
    kind = pa.list_(CHANGE_PHRASES if has_phrases else CHANGE)
    return pa.Table.from_pylist(rows, schema=SCHEMA.set(place, pa.field("changes", kind))).sort_by(order)


def explain(config: Config, reference: str, target: str) -> str:
    """Return why two captions are not a pair: all that are, or were dropped, are rows of the result."""
    return f"not a pair: {config.path} does not have it"


def _columns(config: Config) -> set[str]:
    names = ("reference_id", "target_id", "reference_caption", "target_caption", "changes")
    return {column for name in names if (column := getattr(config, name))}


def _named(config: Config, row: Row) -> dict[str, Any]:
    ids = {
        name: clean_text(id_text(row.values.get(getattr(config, name))) or "") for name in ("reference_id", "target_id")
    }
    texts = {
        name: clean_text(str(row.values.get(getattr(config, name) or "") or "")) or None
        for name in ("reference_caption", "target_caption")
    }
    found: dict[str, Any] = {**ids, **texts, "drop_reason": row.drop_reason, "detail": row.detail, "where": row.where}
    changes = row.values.get(config.changes or "")
    if found["drop_reason"] is None and changes:
        found["changes"] = _read_changes(changes)
        if found["changes"] is None:
            found |= {"drop_reason": "bad_changes", "detail": f"{row.where}: {changes!r} is no list of changes"}
    return found


def _read_changes(value: Any) -> list[dict[str, Any]] | None:
    """Return the changes of a list or its JSON; None if it is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            return None
    if not isinstance(value, list) or not all(_is_change(change) for change in value):
        return None
    is_told = all(change.get("before") or change.get("after") for change in value)
    names = [*CHANGE.names, *(name for name in PHRASES if any(change.get(name) for change in value))]
    return [{name: _cleaned(change.get(name)) for name in names} for change in value] if is_told else None


def _cleaned(value: Any) -> Any:
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


def _checked(row: dict[str, Any], captions: dict[str, list[str]], seen: set[str]) -> dict[str, Any]:
    """Return a row of the result."""
    reference, target, where = row["reference_id"], row["target_id"], row.pop("where")
    for side in ("reference", "target"):
        said = captions.get(row[f"{side}_id"])
        row[f"{side}_caption"] = row[f"{side}_caption"] or (said[0] if said else None)
    row["pair_id"] = pair_id(reference, target, row["reference_caption"] or "", row["target_caption"] or "")
    row["strategy"] = NAME
    problem = None if row["drop_reason"] else _problem(row, captions, seen)
    if problem:
        row |= {"drop_reason": problem[0], "detail": f"{where}: {problem[1]}"}
    elif row["drop_reason"] is None:
        seen.add(row["pair_id"])
        row.setdefault("changes", differences(words_of(row["reference_caption"]), words_of(row["target_caption"])))
    return row


def _problem(row: dict[str, Any], captions: dict[str, list[str]], seen: set[str]) -> tuple[str, str] | None:
    for side in ("reference", "target"):
        video_id = row[f"{side}_id"]
        if not video_id:
            return f"no_{side}", f"no value in the column of {side} ids"
        if video_id not in captions:
            return f"unknown_{side}", f"no video {video_id!r}"
        if not row[f"{side}_caption"]:
            return "no_caption", f"neither the file nor the video {video_id!r} has a caption"
    if row["reference_id"] == row["target_id"]:
        return "same_video", f"{row['target_id']!r} is reference and target"
    if row["pair_id"] in seen:
        return "repeated_pair", "an earlier row is the same pair"
    return None
