"""What `cvr quickstart` prints at its end: the table, the seconds of each step, and where everything lies."""

from collections.abc import Sequence
from pathlib import Path

from cvr_bench.audit.record import audit_of
from cvr_bench.recipes.recipe import Timing
from cvr_bench.report.audit_tables import format_audits
from cvr_bench.report.tables import format_results, format_slices
from cvr_bench.results.result import read_result


def summary(folder: Path, timings: Sequence[Timing]) -> str:
    """Return the end of a quickstart in `folder`."""
    results = [read_result(path.parent) for path in sorted((folder / "results").glob("*/result.json"))]
    results.sort(key=lambda result: result.record["metrics"]["mean"]["value"])
    return "\n".join(
        [
            format_results(results),
            "",
            format_slices(results),
            "",
            format_audits([audit for result in results if (audit := audit_of(result)) is not None]),
            "",
            *_steps(timings),
            "",
            f"dataset  {folder / 'annotations' / 'quickstart'}",
            f"report   {folder / 'report.html'}",
            f"Next: `cd {folder}`, and run any of the commands above with other options, or `cvr list models`.",
        ]
    )


def _steps(timings: Sequence[Timing]) -> list[str]:
    rows = [f"{timing.seconds:>7.1f} s  $ {timing.command}" for timing in timings]
    return [*rows, f"{sum(timing.seconds for timing in timings):>7.1f} s  in all"]
