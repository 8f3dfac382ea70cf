"""Candidates that share no rare word with a query: clips of its reference's recording, and videos that look like it."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.language.stop_words import FUNCTION_WORDS
from cvr_data.language.words import words_of

if TYPE_CHECKING:
    from cvr_data.features.store import FeatureStore

MOST = 20
"""Videos of each of the two, per query."""
FIRST = 1e6
"""Score above that of any shared words, so that these are looked at before them."""


def like_candidates(
    pool: pa.Table, queries: pa.Table, recordings: dict[str, str], store: "FeatureStore | None"
) -> pa.Table:
    """Return videos of a part of the pool per query, with their first caption, as `shared_words.candidates` does.

    Args:
        pool: videos of the part, with `recording_id`.
        queries: triplets; of several of one query, the first says what the query is about.
        recordings: reference -> its recording.
        store: raw features; None where there are none.
    """
    pool = pool.sort_by("video_id")
    captions = [texts[0] if texts else "" for texts in pool.column("captions").to_pylist()]
    _, first = np.unique(queries.column("query_id").to_numpy(), return_index=True)
    asked = queries.take(pa.array(first)).to_pylist()
    of_recording: dict[str, list[int]] = defaultdict(list)
    for row, recording in enumerate(pool.column("recording_id").to_pylist()):
        if recording:
            of_recording[recording].append(row)
    alike = _alike(pool, [query["reference_id"] for query in asked], store)
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


def _alike(pool: pa.Table, references: list[str], store: "FeatureStore | None") -> dict[str, list[int]]:
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


def load_recordings(bucket: Any) -> dict[str, str]:
    """Return the recording of each video that lies there."""
    from cvr_data.core.parts import bucket_table

    table = bucket_table(bucket)
    known = table.filter(pc.is_valid(table.column("recording_id")))
    return dict(zip(known.column("video_id").to_pylist(), known.column("recording_id").to_pylist(), strict=True))
