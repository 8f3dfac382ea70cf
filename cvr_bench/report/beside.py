"""What stands beside the metrics of a table: other metrics, the reference of each query, copies, and distractors."""

from collections.abc import Iterator, Sequence
from typing import Any

from cvr_bench.results.method import compared_result_labels
from cvr_bench.results.result import Result
from cvr_bench.results.text_table import result_text_table
from cvr_bench.scoring.beside import GALLERY
from cvr_bench.scoring.intervals import Interval

NONE = "-"
"""Where a result cannot tell."""


def beside_report_rows(results: Sequence[Result]) -> list[list[str]]:
    """Return a header and a row per result; columns that no result can fill are left out."""
    found = [result.beside for result in results]
    ks = [int(name.partition("@")[2]) for name in found[0][f"in_gallery_of_{GALLERY}"]]
    header = ["beside it", *found[0]["metrics"], *(f"R@{k} of {GALLERY}" for k in ks)]
    has_reference = any(one["reference"] for one in found)
    if has_reference:
        header += ["target beats reference", "reference MdR"]
        header += [f"R@{k} kept/left out" for k in results[0].ks]
    has_twins = any(one["twins"] and one["twins"]["queries"] for one in found)
    header += ["R@1 strict/with copies"] if has_twins else []
    rows = [header]
    for name, one in zip(compared_result_labels(results), found, strict=True):
        cells = [f"{metric['value']:.2f}" for metric in one["metrics"].values()]
        cells += [f"{value:.2f}" for value in one[f"in_gallery_of_{GALLERY}"].values()]
        cells += (
            _reference_cells(one["reference"], len(results[0].ks), results[0].ranks.num_rows) if has_reference else []
        )
        cells += [_two_values_text(one["twins"]["R@1"].values()) if one["twins"] else NONE] if has_twins else []
        rows.append([name, *cells])
    return rows


def beside_report_table(results: Sequence[Result]) -> str:
    """Return the rows as text, with a line on copies, and a table of recalls among each kind of distractor."""
    parts = [result_text_table(beside_report_rows(results))]
    parts += beside_report_notes(results)
    parts += _symmetry_lines(results)
    kinds = {name: one for name, one in _beside_of_each(results) if one["distractors"]}
    if kinds:
        names = list(next(iter(kinds.values()))["distractors"])
        metric = f"R@{results[0].ks[0]}"
        rows = [[f"{metric} among distractors", *names]]
        rows += [
            [label, *(f"{one['distractors'][name][metric]:.2f}" for name in names)] for label, one in kinds.items()
        ]
        parts += ["", result_text_table(rows)]
    return "\n".join(parts)


def _beside_of_each(results: Sequence[Result]) -> Iterator[tuple[str, dict[str, Any]]]:
    return zip(compared_result_labels(results), (result.beside for result in results), strict=True)


def _symmetry_lines(results: Sequence[Result]) -> list[str]:
    """Return a table of how often a query and its way back are found; none where no query has one."""
    found = {name: told for name, one in _beside_of_each(results) if (told := one.get("way_back"))}
    if not found:
        return []
    metric = f"R@{results[0].ks[min(2, len(results[0].ks) - 1)]}"
    header = [f"{metric} of queries and their way back", "pairs", "both", "one", "neither", "gap"]
    rows = [[name, str(told["pairs"]), *(f"{told[metric][of]:.2f}" for of in header[2:])]
            for name, told in found.items()]  # fmt: skip
    return ["", result_text_table([header, *rows])]


def beside_report_notes(results: Sequence[Result]) -> list[str]:
    """Return a line on the gallery items that are copies of targets; none where there are none."""
    found = next((one for result in results if (one := result.beside["twins"])), None)
    if not found or not found["queries"]:
        return []
    return [
        f"copies: {found['items']} gallery items are copies of a target (same picture or same features) of "
        f"{found['queries']} queries; {results[0].path / 'ranks.parquet'} names them in its column twins."
    ]


def _reference_cells(found: dict[str, Any] | None, count: int, queries: int) -> list[str]:
    if found is None:
        return [NONE] * (count + 2)
    share = Interval(**found["target_beats"]).text()
    both = zip(found["kept"].values(), found["left_out"].values(), strict=True)
    return [
        f"{share} of {found['queries']}" if found["queries"] < queries else share,
        f"{found['MdR']:g}",
        *map(_two_values_text, both),
    ]


def _two_values_text(values: Any) -> str:
    return "/".join(f"{value:.2f}" for value in values)
