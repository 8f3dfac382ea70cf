"""The queries of a result, chosen and sorted: the worst ones, those of a slice, those with a word in their text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cvr_bench.results.result import Result
from cvr_bench.results.single_inputs import result_ranks_by_input
from cvr_bench.results.text_table import result_text_table
from cvr_data.core.errors import CvrError, did_you_mean

COLUMNS = (
    "query_id", "reference_id", "modification", "target_ids", "rank", "ties", "allowed", "reference_rank", "twins",
)  # fmt: skip
TEXT = 60
"""Letters of a text that a line shows."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which queries are asked for."""

    where: Sequence[tuple[str, str]] = ()
    """Slice or `reference` or `target`, and its value."""
    text: str = ""
    """Part of the modification text, whatever its case."""
    least: int = 1
    most: int | None = None
    """Ranks of the best target from and to."""
    worst: int | None = None
    """So many, the worst first; None is all, in their order."""
    best: int | None = None


def result_query_rows(result: Result, chosen: Chosen) -> list[dict[str, Any]]:
    """Return the rows of the queries, with their slices and the ranks by one input alone (`text_rank`, `video_rank`).

    Raises:
        CvrError: there is no such slice.
    """
    known = [*result.slice_names, "reference", "target"]
    for name, _ in chosen.where:
        if name not in known:
            raise CvrError(f"{result.path} has no slice {name!r}. {did_you_mean(name, known)}")
    alone = result_ranks_by_input(result)
    rows = result.ranks.select([*COLUMNS, *result.slice_names]).to_pylist()
    rows = [row for row in rows if _is_chosen(row, chosen)]
    if chosen.worst is not None or chosen.best is not None:
        sign = 1 if chosen.best is not None else -1
        rows.sort(key=lambda row: (sign * row["rank"], row["query_id"]))
        rows = rows[: chosen.best if chosen.best is not None else chosen.worst]
    return [{**row, **{f"{name}_rank": ranks.get(row["query_id"]) for name, ranks in alone.items()}} for row in rows]


def _is_chosen(row: Mapping[str, Any], chosen: Chosen) -> bool:
    if row["rank"] < chosen.least or (chosen.most is not None and row["rank"] > chosen.most):
        return False
    if chosen.text.casefold() not in (row["modification"] or "").casefold():
        return False
    own = {"reference": [row["reference_id"]], "target": row["target_ids"]}
    return all(value in own.get(name, [row.get(name)]) for name, value in chosen.where)


def result_queries_text(rows: Sequence[Mapping[str, Any]], slice_names: Sequence[str]) -> str:
    """Return the queries as text, a line each."""
    alone = [name for name in ("text_rank", "video_rank", "description_rank") if rows and name in rows[0]]
    header = ["rank", "of", "ties", *(f"{name.removesuffix('_rank')} alone" for name in alone), "query", "reference"]
    table = [[*header, "target", *slice_names, "text"]]
    for row in rows:
        text = row["modification"] or ""
        cells = [row["rank"], row["allowed"], row["ties"], *(row[name] for name in alone), row["query_id"]]
        cells += [row["reference_id"], row["target_ids"][0], *(row[name] for name in slice_names)]
        shown = text if len(text) <= TEXT else f"{text[: TEXT - 3]}..."
        table.append(["-" if cell is None else str(cell) for cell in (*cells, shown)])
    return result_text_table(table)
