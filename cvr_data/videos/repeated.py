"""Rows of one id: a mistake, all but the first dropped, or captions of one video.

Rows claim their ids, so those of one id are found wherever they are read, and each row stays in its part.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import set_drop_reason_column, with_column
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.parts import hash_bucket_keys, read_artifact_bucket
from cvr_data.core.runner import Flow
from cvr_data.core.stage_jobs import PIECE
from cvr_data.core.stages import ClaimStep
from cvr_data.videos.entries import ROWS, SCHEMA, more_video_captions, one_video_split

_CAPTIONS = "captions"
READ = "rows_read"
"""What the manifest calls the rows of the source."""
_SETTLED = pa.schema(
    [
        ("row", pa.int64()),
        SCHEMA.field("video_id"),
        SCHEMA.field("split"),
        (_CAPTIONS, pa.list_(pa.string())),
        (PIECE, pa.int32()),
    ]
)
_BUCKET = 1_000_000
"""Claims of a bucket, on average: each has the captions of its video."""


def repeated_videos_step(policy: str) -> ClaimStep:
    """Return the step that also drops what the reader marked: first come rows as they were read, last each id once.

    Args:
        policy: captions makes rows of one id one video with all their captions; drop and error keep the first.
    """
    run = partial(_counted_repeats, _merged if policy == _CAPTIONS else _marked)
    return ClaimStep(
        name="read", run=run, config=policy, claims=_claims, settle=_settled, makes_rows=policy == _CAPTIONS,
        bucket_values=_BUCKET, tells=True,
    )  # fmt: skip


def refuse_repeated_videos(videos: Flow, where: str, has_choice: bool) -> None:
    """Refuse ids that come again where that is a mistake, and name the option that takes them if the corpus has it.

    Raises:
        CvrError: the first three are named.
    """
    if videos.steps[-1].config != "error":
        return
    found: dict[str, None] = {}
    for part in videos.parts:
        settled = pa.concat_tables(list(read_artifact_bucket(part.verdicts)) if part.verdicts else [])
        found |= dict.fromkeys(settled.sort_by("row").column("video_id").to_pylist())
    if found:
        choice = (
            "With -o repeated=captions rows of one id are its captions, with -o repeated=drop all but the first are "
            "dropped."
        )
        choice = choice if has_choice else "Leave one row of each."
        raise CvrError(f"{where}: ids come more than once: {first_few(found)}. {choice}")


def _claims(policy: str, rows: pa.Table) -> pa.Table:
    """Each row that can be used claims its id."""
    usable = pc.is_null(rows.column("drop_reason"))
    numbers = np.arange(rows.num_rows)[usable.to_numpy()]
    rows = rows.select(["video_id", "split", *([_CAPTIONS] if policy == _CAPTIONS else [])]).filter(usable)
    columns = {name: rows.column(name) for name in rows.column_names}
    return pa.table({"key": hash_bucket_keys(rows.column("video_id")), "row": numbers, **columns})


def _settled(policy: str, claims: pa.Table) -> pa.Table:
    """What parts have to change: rows that come again, without captions; before them the first, with those of all.

    Raises:
        CvrError: rows of an id are in two splits.
    """
    _, place, count = np.unique(claims.column("key").to_numpy(), return_inverse=True, return_counts=True)
    again = claims.filter(pa.array(count[place] > 1))
    of_id = defaultdict(list)
    for row in again.to_pylist():  # in the order in which they were read
        of_id[row["video_id"]].append(row)
    found = []
    for first, *others in of_id.values():
        first["split"] = one_video_split(first["video_id"], [first["split"], *(row["split"] for row in others)])
        found += [{**row, _CAPTIONS: None} for row in others]
        if policy == _CAPTIONS and others:
            for row in others:
                first[_CAPTIONS] = more_video_captions(first[_CAPTIONS], row[_CAPTIONS])
            found.append(first)
    return pa.Table.from_pylist(found, _SETTLED)


def _counted_repeats(
    change: Callable[..., pa.Table], policy: str, rows: pa.Table, settled: pa.Table
) -> tuple[pa.Table, dict[str, int]]:
    """The rows that are left, and of how many rows of the source they, and those dropped, are."""
    given = pc.sum(pc.fill_null(rows.column(ROWS), 1)).as_py() or 0
    return change(policy, rows, settled).drop_columns([ROWS]), {READ: given}


def _marked(policy: str, rows: pa.Table, settled: pa.Table) -> pa.Table:
    again = settled.column("row").to_numpy()
    detail = rows.column("detail").to_pylist()
    for row, video_id in zip(again.tolist(), settled.column("video_id").to_pylist(), strict=True):
        detail[row] = ": ".join(told for told in (detail[row], f"{video_id} comes again") if told)
    return set_drop_reason_column(with_column(rows, SCHEMA.field("detail"), detail), again, "duplicate_id")


def _merged(policy: str, rows: pa.Table, settled: pa.Table) -> pa.Table:
    numbers, is_first = settled.column("row").to_numpy(), settled.column(_CAPTIONS).is_valid().to_numpy()
    taken = np.arange(rows.num_rows)
    taken[numbers[is_first]] = rows.num_rows + np.flatnonzero(is_first)
    both = pa.chunked_array([*rows.column(_CAPTIONS).chunks, *settled.column(_CAPTIONS).chunks])
    rows = with_column(rows, SCHEMA.field(_CAPTIONS), both.take(pa.array(taken)))
    splits = pa.chunked_array([*rows.column("split").chunks, *settled.column("split").chunks], pa.string())
    rows = with_column(rows, SCHEMA.field("split"), splits.take(pa.array(taken)))
    stays = np.ones(len(taken), bool)
    stays[numbers[~is_first]] = False
    return rows.filter(pa.array(stays))
