"""The audit of triplets by plain scorers as plain text: labels beside chance, the yield, and what was held out."""

from collections.abc import Mapping
from typing import Any

from cvr_bench.report.audit_tables import report_leak_lines
from cvr_bench.results.text_table import result_text_table
from cvr_data.features.single_input_pool import OUTSIDER
from cvr_data.features.single_inputs import BOTH, LABELS
from cvr_data.triplets.composition import yield_lines


def report_pool_audit(audit: Mapping[str, Any]) -> str:
    """Return the tables of an audit by the pool (`cvr_bench.audit.pool`)."""
    found = audit["composition"]
    queries, k = audit["queries"], found["k"]
    head = (
        f"{audit['data']} ({audit['split']}): {queries} queries, gallery of {found['gallery']} videos; "
        f"solved: a target among the {k} best"
    )
    rows = [["labels", *(label.replace("_", " ") for label in LABELS)]]
    for name in sorted(found["labels_at"], key=int):
        rows.append([f"@{name}", *(_share(found["labels_at"][name][label], queries) for label in LABELS)])
        rows.append(["  (by chance)", *(_share(found["chance_at"][name][label], queries) for label in LABELS)])
    needs = f"{BOTH.replace('_', ' ')} @{k}, chance taken off: {100 * found['needs_both_above_chance']:.0f} %"
    scorers = [["scorer", f"solves @{k}", "of those that the others leave", "(by chance)"]]
    for name, held in found["held_out"].items():
        solved = _share(held["solved_of_all"], queries)
        of_left = f"{_share(held['solved'], held['left'])} of {held['left']}"
        scorers.append(
            [f"{name} (not in the pool)" if name == OUTSIDER else name, solved, of_left, f"{held['by_chance']:.0f}"]
        )
    parts = [head + "\n" + result_text_table(rows), "\n".join([needs, *(line[4:] for line in yield_lines(found))])]
    return "\n\n".join([*parts, result_text_table(scorers), *report_leak_lines([audit])])


def _share(count: float, whole: int) -> str:
    return f"{count:.0f} ({100 * count / whole:.0f} %)" if whole else "0"
