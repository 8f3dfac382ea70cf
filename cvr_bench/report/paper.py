"""Rows for a paper: our results with intervals, published ones marked, each with its source in a footnote.

table = paper_table(results)
print(paper_latex([table]))
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cvr_bench.results.published import (
    NOT_REPORTED,
    RANKS,
    STANDINGS,
    PublishedRow,
    published_result_text,
    published_results_for,
)
from cvr_bench.results.result import Result

DAGGER = "†"
"""Marks what was published by others and not measured here."""
ESCAPES = {
    "\\": r"\textbackslash{}",
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    DAGGER: r"\dag{}",
    "−": "--",
}
"""What LaTeX would read as a command, or not at all."""


@dataclass(frozen=True)
class Cell:
    """One number."""

    text: str
    interval: str = ""
    """Ends of its 95 % interval, where it was measured here."""
    is_best: bool = False
    """Whether it is the best of ours, where there are several."""


@dataclass(frozen=True)
class PaperRow:
    """One method."""

    method: str
    setting: str
    cells: tuple[Cell, ...]
    mark: str = ""
    """Letters of its footnotes; empty for ours."""

    @property
    def is_published(self) -> bool:
        """Whether its numbers are others'."""
        return bool(self.mark)


@dataclass(frozen=True)
class PaperTable:
    """The rows of one task."""

    task: str
    caption: str
    metrics: tuple[str, ...]
    ours: tuple[PaperRow, ...]
    published: tuple[PaperRow, ...]
    notes: tuple[tuple[str, str], ...]
    """Letter -> source of a published row."""
    cautions: tuple[str, ...] = ()
    """How ours were measured differently from the published ones."""


def paper_table(results: Sequence[tuple[str, Result]]) -> PaperTable:
    """Return the rows of results on one task, each with its label, and of what is published on that task."""
    first = results[0][1]
    task = first.record["task"]["name"]
    metrics = (*first.metric_names, *RANKS)
    found = published_results_for(task)
    rows = [row for row in found.rows if row.standing != NOT_REPORTED] if found is not None else []
    rows = [row for row in rows if any(metric in row.values for metric in metrics)]
    notes = {note: _letter(number) for number, note in enumerate(dict.fromkeys(map(_paper_note, rows)))}
    return PaperTable(
        task=task,
        caption=_paper_caption(first),
        metrics=metrics,
        ours=tuple(_our_rows(results, metrics)),
        published=tuple(
            PaperRow(
                row.method,
                row.setting,
                tuple(Cell(published_result_text(row, metric)) for metric in metrics),
                notes[_paper_note(row)],
            )
            for row in rows
        ),
        notes=tuple((letter, note) for note, letter in notes.items()),
        cautions=tuple(found.cautions(first)) if found is not None and rows else (),
    )


def paper_latex(tables: Sequence[PaperTable]) -> str:
    r"""Return the tables in LaTeX; they need `\usepackage{booktabs}`."""
    return "% \\usepackage{booktabs}\n" + "\n".join(_latex(table) for table in tables)


def beside_latex(rows: Sequence[Sequence[str]]) -> str:
    """Return a table of what stands beside the metrics, of a header and a row per method, in LaTeX."""
    head, *lines = [" & ".join(map(escaped_latex, row)) + r" \\" for row in rows]
    return "\n".join([
        r"\begin{table}[t]", r"\centering", rf"\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}", r"\toprule", head,
        r"\midrule", *lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", "",
    ])  # fmt: skip


def escaped_latex(text: str) -> str:
    """Return the text as LaTeX prints it."""
    return "".join(ESCAPES.get(sign, sign) for sign in text)


def _our_rows(results: Sequence[tuple[str, Result]], metrics: Sequence[str]) -> list[PaperRow]:
    values = [
        [float(result.record[metric]) if metric in RANKS else result.interval(metric).value for metric in metrics]
        for _, result in results
    ]
    best = [(min if metric in RANKS else max)(row[column] for row in values) for column, metric in enumerate(metrics)]
    rows = []
    for (label, result), row in zip(results, values, strict=True):
        setting = "trained" if result.record.get("training") else "not trained"
        setting = "checkpoint" if result.record.get("checkpoint") else setting
        cells = [
            _our_cell(result, metric, value, is_best=len(results) > 1 and value == best[column])
            for column, (metric, value) in enumerate(zip(metrics, row, strict=True))
        ]
        rows.append(PaperRow(label, setting, tuple(cells)))
    return rows


def _our_cell(result: Result, metric: str, value: float, *, is_best: bool) -> Cell:
    if metric in RANKS:
        return Cell(f"{value:.1f}", is_best=is_best)
    interval = result.interval(metric)
    return Cell(f"{value:.2f}", f"{interval.low:.2f}, {interval.high:.2f}", is_best)


def _paper_note(row: PublishedRow) -> str:
    return f"{STANDINGS[row.standing]}: {row.source}" + (f"; {row.note}" if row.note else "")


def _letter(number: int) -> str:
    """Letters of the alphabet, then aa, ab and so on."""
    letter = chr(ord("a") + number % 26)
    return letter if number < 26 else _letter(number // 26 - 1) + letter


def _paper_caption(result: Result) -> str:
    task, record = result.record["task"], result.record
    reference = "references left out" if result.protocol.reference == "exclude" else "references kept"
    return (
        f"{task['name']}: {record['queries']:,} queries, gallery of {task['gallery']:,}, {reference}. "
        "In brackets the 95 % interval (queries that share a target or a reference are one cluster)."
    )


def _latex(table: PaperTable) -> str:
    lines = [
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{escaped_latex(table.caption)}}}",
        rf"\begin{{tabular}}{{ll{'r' * len(table.metrics)}}}",
        r"\toprule",
        " & ".join(["Method", "Setting", *map(escaped_latex, table.metrics)]) + r" \\",
        r"\midrule",
        *map(_tex_row, table.ours),
        *([r"\midrule", *map(_tex_row, table.published)] if table.published else []),
        r"\bottomrule",
        r"\end{tabular}",
        *_tex_notes(table),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _tex_row(row: PaperRow) -> str:
    mark = rf"$^{{\dag {row.mark}}}$" if row.is_published else ""
    return (
        " & ".join([escaped_latex(row.method) + mark, escaped_latex(row.setting), *map(_tex_cell, row.cells)]) + r" \\"
    )


def _tex_cell(cell: Cell) -> str:
    number = "--" if cell.text == "-" else escaped_latex(cell.text)
    number = rf"\textbf{{{number}}}" if cell.is_best else number
    return number + (rf" {{\scriptsize [{escaped_latex(cell.interval)}]}}" if cell.interval else "")


def _tex_notes(table: PaperTable) -> list[str]:
    if not table.published:
        return []
    lines = [r"\par\smallskip\footnotesize\raggedright", r"$^{\dag}$ Published, not measured here."]
    if table.cautions:
        lines.append(f"Measured differently: {escaped_latex('; '.join(table.cautions))}.")
    return lines + [rf"$^{{{letter}}}$ {escaped_latex(note)}." for letter, note in table.notes]
