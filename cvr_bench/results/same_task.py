"""Whether two results answer the same task: the same rules, and of each query both have the same question.

A task is known by its rules (`protocol.json`), its gallery, and of each query its text, reference, targets and
candidates, as ranks.parquet has them. What belongs to a model, such as the frames it reads, is shown beside it
(`Result.reads`) and keeps no two results apart.
"""

from collections.abc import Sequence

import pyarrow as pa

from cvr_bench.results.result import Result
from cvr_data.core.errors import CvrError, first_few

QUESTION = {"modification": "text", "reference_id": "reference", "target_ids": "targets", "candidates_id": "candidates"}
"""Column of ranks.parquet -> what it is of a query. `allowed` stands for candidates where an older result has none."""
SAID = 3
"""Fields that a refusal names."""


def check_results_share_rules(first: Result, second: Result) -> list[str]:
    """Refuse results of different protocols or K; return how their galleries differ.

    Raises:
        CvrError: they differ; the line says in which fields.
    """
    problems = first.protocol.differences(second.protocol)
    mine, theirs = first.record["task"], second.record["task"]
    if mine["ks"] != theirs["ks"]:
        problems.append(f"ks: {mine['ks']}, not {theirs['ks']}")
    if problems:
        raise _not_the_same(first, second, problems)
    if mine["gallery"] != theirs["gallery"]:
        return [f"gallery: {mine['gallery']}, not {theirs['gallery']}"]
    return ["gallery: as many videos, but not the same ones"] if mine["gallery_id"] != theirs["gallery_id"] else []


def check_same_questions(
    first: Result, second: Result, tables: Sequence[pa.Table], *, is_same_gallery: bool = True
) -> None:
    """Refuse results that ask other things of the queries both have, whose rows the tables hold in one order.

    Raises:
        CvrError: they differ; the line says in what, of which query, and how.
    """
    ids = tables[0].column("query_id").to_pylist()
    names = dict(QUESTION)
    if not is_same_gallery:
        del names["candidates_id"]  # of what each has features of, which is compared where both are ranked again
    elif any(table.column("candidates_id").null_count for table in tables):
        names["allowed"] = names.pop("candidates_id")
    problems = []
    for column, what in names.items():
        mine, theirs = (list(map(_comparable, table.column(column).to_pylist())) for table in tables)
        changed = [place for place, both in enumerate(zip(mine, theirs, strict=True)) if both[0] != both[1]]
        if changed:
            place = changed[0]
            values = (
                ""
                if column == "candidates_id"
                else f" ({_short_value(mine[place])}, not {_short_value(theirs[place])})"
            )
            problems.append(f"{what} of {len(changed)} of {len(ids)} queries, such as {ids[place]}{values}")
    if problems:
        raise _not_the_same(first, second, problems)


def _comparable(value: object) -> object:
    return sorted(value) if isinstance(value, list) else value


def _short_value(value: object) -> str:
    text = first_few(value) if isinstance(value, list) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _not_the_same(first: Result, second: Result, problems: Sequence[str]) -> CvrError:
    more = f"; and {len(problems) - SAID} more" if len(problems) > SAID else ""
    return CvrError(
        f"{first.path} and {second.path} cannot be compared; they differ in {'; '.join(problems[:SAID])}{more}."
    )
