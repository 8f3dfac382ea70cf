"""Texts that are there already, laid beside their pairs: what a paraphrase or the way back is asked about.

The table is that of the pairs, one row per accepted text of a modifications artifact, with the columns `given` (the
text), `given_id`, `given_style` and `place` (which of the pair's texts it is). For the way back, each pair is swapped;
where the swapped pair was not mined, `is_mined` is false and no triplet could be built.
"""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError, first_few
from cvr_data.tables import PAIRS, pair_id

_SIDES = ("reference", "target")
_ENDS = ("before", "after")


def with_given(pairs: pa.Table, modifications: Path, *, swap: bool, mined: pa.Array) -> pa.Table:
    """Return one row per accepted text of the pairs in the table, in the order of the texts.

    Args:
        pairs: those asked for.
        modifications: the texts.
        swap: lay each text beside the pair of the way back.
        mined: the ids of all pairs there are.

    Raises:
        CvrError: none of the texts is of these pairs.
    """
    texts = open_artifact(modifications, stage="generate-modifications").read()
    accepted = pc.and_(pc.equal(texts.column("status"), "ok"), pc.is_valid(texts.column("modification")))
    texts = texts.filter(accepted)
    texts = texts.filter(pc.is_in(texts.column("pair_id"), pairs.column("pair_id").combine_chunks()))
    if not texts.num_rows and pairs.num_rows:
        raise CvrError(f"{modifications}: no accepted text is of the pairs asked for.")
    rows = pairs.take(pc.index_in(texts.column("pair_id"), pairs.column("pair_id").combine_chunks()))
    if swap:
        rows = _swapped(rows)
    rows = rows.append_column("given", texts.column("modification"))
    rows = rows.append_column("given_id", texts.column("modification_id"))
    rows = rows.append_column("given_style", texts.column("style"))
    rows = rows.append_column("place", pa.array(_places(rows.column("pair_id").to_pylist()), pa.int32()))
    return rows.append_column("is_mined", pc.is_in(rows.column("pair_id"), mined))


def pairs_of(modifications: Path) -> Path:
    """Return the pairs that the texts were made from.

    Raises:
        CvrError: the texts' manifest does not lead to them.
    """
    return open_artifact(modifications, stage="generate-modifications").input_path("pairs")


def _places(pair_ids: list[str]) -> list[int]:
    seen: Counter[str] = Counter()
    places = []
    for each in pair_ids:
        places.append(seen[each])
        seen[each] += 1
    return places


def _swapped(rows: pa.Table) -> pa.Table:
    names = {name: _other(name) for name in rows.column_names if _other(name) in rows.column_names}
    swapped = pa.table({name: rows.column(names.get(name, name)) for name in rows.column_names})
    changes = [
        [{_other(name, _ENDS): value for name, value in change.items()} for change in row or ()]
        for row in rows.column("changes").to_pylist()
    ]
    columns = [swapped.column(f"{side}_{part}").to_pylist() for part in ("id", "caption") for side in _SIDES]
    ids = [pair_id(*row) for row in zip(*columns, strict=True)]
    swapped = with_column(swapped, rows.schema.field("changes"), changes)
    return with_column(swapped, PAIRS.field("pair_id"), ids)


def _other(name: str, sides: tuple[str, str] = _SIDES) -> str:
    for one, other in (sides, sides[::-1]):
        if name == one or name.startswith(f"{one}_"):
            return other + name[len(one) :]
    return name


def check_places(table: pa.Table, most: int, where: Path) -> None:
    """Raise if a pair has more texts than there are seeds for.

    Raises:
        CvrError: with the first such pairs.
    """
    over = pc.greater_equal(table.column("place"), most)
    if pc.any(over).as_py():
        offenders = sorted(set(table.filter(over).column("pair_id").to_pylist()))
        raise CvrError(f"{where}: more than {most} texts per pair, of pairs {first_few(offenders)}.")
