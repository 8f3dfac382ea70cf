"""Compare two results, or methods of several seeds, on the same queries: the paired difference, and what it says.

Results of different protocols are not put side by side; what differs is said instead. Where galleries differ, because
one machine lacks videos that another has, both are ranked again on the videos and queries they share, from their saved
scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_bench.results.method import Method
from cvr_bench.results.result import Result
from cvr_bench.results.same_task import check_results_share_rules, check_same_questions
from cvr_bench.results.score_matrix import ScoreMatrix, read_result_scores
from cvr_bench.results.under_protocols import result_ranks_under
from cvr_bench.scoring.intervals import (
    LEVEL,
    Interval,
    mean_recall_difference,
    metric_holm_p,
    metric_p_text,
    rank_clusters,
)
from cvr_bench.scoring.measures import Measures
from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.natural_order import natural_order

WHOLE = ""
"""Of all queries, beside the values of a slice."""


@dataclass(frozen=True)
class PairedDifference:
    """First minus second on some queries, in points of percent."""

    queries: int
    clusters: int
    intervals: Mapping[str, Interval]
    """Metric -> difference of it."""
    first: Mapping[str, float]
    second: Mapping[str, float]
    p_values: Mapping[str, float]
    """Metric -> two-sided p that it is zero."""
    adjusted: Mapping[str, float]
    """The same, adjusted for all metrics and slices that are looked at together."""

    def is_clear(self, metric: str) -> bool:
        """Whether the two differ, by the adjusted p."""
        return self.adjusted[metric] < 1 - LEVEL

    def verdict(self, metric: str, first: str, second: str) -> str:
        """Return which of the two is better, as far as the adjusted p tells."""
        told = f"p {metric_p_text(self.adjusted[metric])} of the {metric} difference, adjusted for all that are shown,"
        if not self.is_clear(metric):
            return f"no clear difference: {told} is not below 0.05"
        better, worse = (first, second) if self.intervals[metric].value > 0 else (second, first)
        return f"{better} is better than {worse}: {told} is below 0.05"


@dataclass(frozen=True)
class Comparison:
    """Two results on the queries that both have."""

    first: str
    second: str
    whole: PairedDifference
    slices: Mapping[str, PairedDifference]
    """Value of the slice -> the difference within it; empty where none was asked for."""
    only_first: int
    """Queries that only the first result has."""
    only_second: int
    notes: Sequence[str] = ()
    """What of the models differs beside the task, such as how many frames they read."""
    gallery: int | None = None
    """Gallery items that both have, where both were ranked again on these; None where their galleries are the same."""


def compare_results(first: Result, second: Result, *, by: str | None = None) -> Comparison:
    """Return the paired differences of two results, as `compare_methods` does."""
    return compare_methods(Method(first.path, [first]), Method(second.path, [second]), by=by)


def compare_methods(first: Method, second: Method, *, by: str | None = None) -> Comparison:
    """Return the paired differences of all metrics, of all queries and per value of slice `by`, over all seeds.

    Raises:
        CvrError: the tasks differ, the galleries do and scores were not saved or seeds are several, no query is shared,
            or there is no such slice.
    """
    one, other = first.results[0], second.results[0]
    problems = check_results_share_rules(one, other)
    if problems:
        if len(first.results) + len(second.results) > 2:
            raise CvrError(f"{first.path} and {second.path} cannot be compared; they differ in {'; '.join(problems)}.")
        *pair, gallery = _on_common_gallery(one, other, problems)
        tables = [[pair[0]], [pair[1]]]
        measures = Measures(ks=one.ks)  # ranked again, only the best target of a query is placed: mAP is not known
    else:
        tables, gallery = (
            _shared_queries([[result.ranks for result in method.results] for method in (first, second)]),
            None,
        )
        measures = one.measures
    table = tables[0][0]
    if not table.num_rows:
        raise CvrError(f"{first.path} and {second.path} have no query in common.")
    check_same_questions(one, other, (table, tables[1][0]), is_same_gallery=not problems)
    names = (first.label, second.label) if first.name != second.name else (str(first.path), str(second.path))
    whole = _paired_difference(tables, measures)
    slices = _slice_differences(one, tables, by, measures) if by else {}
    adjusted = _adjusted_p_values({WHOLE: whole, **slices})
    return Comparison(
        *names,
        whole=adjusted.pop(WHOLE),
        slices=adjusted,
        only_first=one.ranks.num_rows - table.num_rows,
        only_second=other.ranks.num_rows - table.num_rows,
        notes=[*_reads_that_differ(one, other), *_seeds_compared(first, second)],
        gallery=gallery,
    )


def _seeds_compared(first: Method, second: Method) -> list[str]:
    """What seeds the comparison speaks of, where one of the methods has several."""
    counts = [len(method.results) for method in (first, second)]
    if max(counts) == 1:
        return []
    alone = [
        method.name
        for method, count in zip((first, second), counts, strict=True)
        if count == 1 and (method.results[0].record.get("training") or "seed" in method.results[0].record["options"])
    ]
    return ["over queries and seeds", *(f"of {name} there is one seed, so its spread is not known" for name in alone)]


def _reads_that_differ(first: Result, second: Result) -> list[str]:
    """What the two models read, where that is known and differs."""
    both = first.reads, second.reads
    names = [name for name in both[0] if name in both[1] and both[0][name] != both[1][name]]
    return [f"they read other {name.replace('_', ' ')}: {both[0][name]}, {both[1][name]}" for name in names]


def compared_results_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON values."""
    names = (comparison.first, comparison.second)
    return {
        "first": comparison.first,
        "second": comparison.second,
        "only_first": comparison.only_first,
        "only_second": comparison.only_second,
        "gallery": comparison.gallery,
        "notes": list(comparison.notes),
        **_difference_json(comparison.whole, names),
        "slices": {value: _difference_json(part, names) for value, part in comparison.slices.items()},
    }


def _difference_json(difference: PairedDifference, names: tuple[str, str]) -> dict[str, Any]:
    return {
        "queries": difference.queries,
        "clusters": difference.clusters,
        "difference": {
            metric: {
                "first": difference.first[metric],
                "second": difference.second[metric],
                "value": interval.value,
                "interval": [interval.low, interval.high],
                "p": difference.p_values[metric],
                "adjusted_p": difference.adjusted[metric],
                "verdict": difference.verdict(metric, *names),
            }
            for metric, interval in difference.intervals.items()
        },
    }


def _on_common_gallery(first: Result, second: Result, problems: Sequence[str]) -> tuple[pa.Table, pa.Table, int]:
    """Both ranked again, on the items and queries they share; and how many items these are."""
    matrices = [matrix for result in (first, second) if (matrix := read_result_scores(result.path)) is not None]
    if len(matrices) < 2:
        raise CvrError(
            f"{first.path} and {second.path} cannot be compared; they differ in {'; '.join(problems)}. Score both with "
            "--save-scores, and they are compared on what they share."
        )
    items = sorted(set(matrices[0].item_ids) & set(matrices[1].item_ids))
    with_target = [_with_target(matrix, set(items)) for matrix in matrices]
    queries = [name for name in with_target[0] if name in set(with_target[1])]
    if not queries:
        raise CvrError(f"{first.path} and {second.path} have no query in common.")
    both = [matrix.within(items, queries) for matrix in matrices]
    listed = [None if one.candidates is None else [sorted(found.tolist()) for found in one.candidates] for one in both]
    if listed[0] != listed[1]:
        raise CvrError(f"{first.path} and {second.path} cannot be compared; they differ in candidates.")
    tables = [_ranked_again(result, matrix) for result, matrix in zip((first, second), both, strict=True)]
    return tables[0], tables[1], len(items)


def _with_target(matrix: ScoreMatrix, items: set[str]) -> list[str]:
    """The queries that keep a target, other than their own reference, within some items."""
    found = zip(matrix.query_ids, matrix.targets, matrix.references, strict=True)
    return [
        name
        for name, targets, reference in found
        if any(column != reference and matrix.item_ids[column] in items for column in targets)
    ]


def _ranked_again(result: Result, matrix: ScoreMatrix) -> pa.Table:
    row_of = {name: row for row, name in enumerate(result.ranks.column("query_id").to_pylist())}
    table = result.ranks.take([row_of[name] for name in matrix.query_ids])
    targets = [[matrix.item_ids[column] for column in columns] for columns in matrix.targets]
    rank = result_ranks_under(matrix, result.protocol).rank.astype(np.int64)
    for name, values in (("rank", pa.array(rank)), ("target_ids", pa.array(targets, pa.list_(pa.string())))):
        table = with_column(table, name, values)
    return table


def _shared_queries(methods: Sequence[Sequence[pa.Table]]) -> list[list[pa.Table]]:
    """The rows of the queries that all tables have, in the order of the first."""
    rows_of = [
        [{name: row for row, name in enumerate(table.column("query_id").to_pylist())} for table in tables]
        for tables in methods
    ]
    known = [rows for of_method in rows_of for rows in of_method]
    names = [name for name in known[0] if all(name in rows for rows in known)]
    return [
        [
            table.take(pa.array([rows[name] for name in names], pa.int64()))
            for table, rows in zip(tables, of, strict=True)
        ]
        for tables, of in zip(methods, rows_of, strict=True)
    ]


def _paired_difference(methods: Sequence[Sequence[pa.Table]], measures: Measures) -> PairedDifference:
    clusters = rank_clusters(methods[0][0])
    first_S, second_S = methods
    values = {
        name: tuple([measures.values(table, name) for table in tables] for tables in (first_S, second_S))
        for name in measures.names()
    }
    found = {name: mean_recall_difference(both[0], both[1], clusters) for name, both in values.items()}
    return PairedDifference(
        queries=methods[0][0].num_rows,
        clusters=clusters.target_count,
        intervals={name: interval for name, (interval, _) in found.items()},
        first={name: float(np.mean(both[0])) for name, both in values.items()},
        second={name: float(np.mean(both[1])) for name, both in values.items()},
        p_values={name: p for name, (_, p) in found.items()},
        adjusted={},
    )


def _adjusted_p_values(parts: Mapping[str, PairedDifference]) -> dict[str, PairedDifference]:
    """Return the parts with the p of all their metrics adjusted together."""
    asked = {(part, name): p for part, found in parts.items() for name, p in found.p_values.items()}
    told = metric_holm_p(asked)
    return {
        part: replace(found, adjusted={name: told[part, name] for name in found.p_values})
        for part, found in parts.items()
    }


def _slice_differences(
    first: Result, methods: Sequence[Sequence[pa.Table]], by: str, measures: Measures
) -> dict[str, PairedDifference]:
    if by not in first.slice_names:
        raise CvrError(f"{first.path} has no slice {by!r}. {did_you_mean(by, first.slice_names)}")
    values = methods[0][0].column(by).to_pylist()
    differences = {}
    for value in sorted({value for value in values if value is not None}, key=natural_order):
        is_in = pa.array([found == value for found in values])
        differences[value] = _paired_difference(
            [[table.filter(is_in) for table in tables] for tables in methods], measures
        )
    return differences
