"""Results as plain text: one table of all models, and one of R@1 by slice."""

from collections.abc import Sequence

from cvr_bench.report.scores import SLICES
from cvr_bench.results.compare import Comparison
from cvr_bench.results.method import compared_result_labels
from cvr_bench.results.result import MEAN, Result
from cvr_bench.results.text_table import result_text_table
from cvr_bench.results.under_protocols import ProtocolRow
from cvr_bench.scoring.intervals import Interval, metric_p_text


def report_results_table(results: Sequence[Result]) -> str:
    """Return the table of results on one task: recalls in percent, 95 % intervals, ranks, ties and chance."""
    first = results[0]
    names = first.metric_names
    rows = [["model", *names, "MdR", "ties"]]
    for label, result in zip(compared_result_labels(results), results, strict=True):
        found = {name: result.interval(name) for name in names}
        cells = [found[name].text() if name in ("R@1", MEAN) else f"{found[name].value:.2f}" for name in names]
        rows.append([label, *cells, f"{result.record['MdR']:g}", str(result.record["ties"]["queries"])])
    chance = first.record["chance"]  # mAP has none
    rows.append(["(chance)", *(f"{chance[name]:.2f}" if name in chance else "" for name in names), "", ""])
    return "\n".join([_header_of_results(first), result_text_table(rows), *_benchmark_bounds(results)])


def report_slices_table(results: Sequence[Result]) -> str:
    """Return R@1 of every model by what its queries are; empty where all queries are alike."""
    first = results[0]
    blocks = []
    for name in SLICES:
        values = first.record["slices"].get(name, {})
        if len(values) < 2:
            continue
        ordered = sorted(values, key=lambda value: (-values[value]["queries"], value))
        rows = [[f"R@1 by {name}", *(f"{value} ({values[value]['queries']})" for value in ordered)]]
        for label, result in zip(compared_result_labels(results), results, strict=True):
            found = result.record["slices"].get(name, {})
            rows.append([label, *(Interval(**found[value]["metrics"]["R@1"]).text() for value in ordered)])
        blocks.append(result_text_table(rows))
    return "\n\n".join(blocks)


def report_comparison_table(comparison: Comparison) -> str:
    """Return the differences, with intervals and a verdict per metric that the table leads with."""
    whole = comparison.whole
    names = list(whole.intervals)
    rows = [["", *names]]
    rows.append([comparison.first, *(f"{whole.first[name]:.2f}" for name in names)])
    rows.append([comparison.second, *(f"{whole.second[name]:.2f}" for name in names)])
    rows.append(["difference", *(whole.intervals[name].text("+.2f") for name in names)])
    rows.append(["p", *(metric_p_text(whole.p_values[name]) for name in names)])
    rows.append(["p adjusted", *(metric_p_text(whole.adjusted[name]) for name in names)])
    lines = [_scope_of_comparison(comparison), result_text_table(rows)]
    lines += [f"{name}: {whole.verdict(name, comparison.first, comparison.second)}." for name in (names[0], MEAN)]
    if comparison.slices:
        lines += ["", _slice_differences(comparison)]
    return "\n".join(lines)


def report_protocols_table(result: Result, rows: Sequence[ProtocolRow]) -> str:
    """Return one result under several protocols: recalls, gallery size, ties, chance, and what the scores lack."""
    table = [["protocol", *(f"R@{k}" for k in result.ks), "mean", "gallery", "ties", "chance R@1"]]
    for row in rows:
        if row.ranks is None:
            table.append([row.name, *["-"] * (len(result.ks) + 4)])
            continue
        recalls = [row.recall(k) for k in result.ks]
        shown = [f"{value:.2f}" for value in (*recalls, sum(recalls) / len(recalls))]
        ties = str(int((row.ranks.ties > 0).sum()))
        gallery = f"{row.ranks.allowed.mean():.0f}"
        table.append([row.name, *shown, gallery, ties, f"{row.chance(1):.2f}"])
    notes = [f"{row.name}: {row.why_not}." for row in rows if row.why_not]
    if at_random := {row.name.partition(":")[0] for row in rows if row.ranks and row.protocol.ties == "random"}:
        notes.insert(0, f"{'; '.join(sorted(at_random))}: R@K is what is expected over all orders of equal scores.")
    title = f"{result.model} on {result.record['task']['name']}: the same scores of {result.record['queries']} queries"
    return "\n".join([title, result_text_table(table), *notes])


def _slice_differences(comparison: Comparison) -> str:
    names = [next(iter(comparison.whole.intervals)), MEAN]
    rows = [["slice", "queries", *(f"{name} difference" for name in names), f"adjusted p of {names[0]}", "verdict"]]
    for value, difference in comparison.slices.items():
        cells = [difference.intervals[name].text("+.2f") for name in names]
        p_value = metric_p_text(difference.adjusted[names[0]])
        interval = difference.intervals[names[0]]
        verdict = f"{comparison.first if interval.value > 0 else comparison.second} is better"
        verdict = verdict if difference.is_clear(names[0]) else "no clear difference"
        rows.append([value, str(difference.queries), *cells, p_value, verdict])
    return result_text_table(rows)


def _scope_of_comparison(comparison: Comparison) -> str:
    whole = comparison.whole
    scope = f"{whole.queries} queries, {whole.clusters} different targets, 95 % intervals, p adjusted by Holm"
    lost = [
        f"{count} queries only in {name}"
        for count, name in ((comparison.only_first, comparison.first), (comparison.only_second, comparison.second))
        if count
    ]
    shared = [f"both ranked again on the {comparison.gallery} videos they share"] if comparison.gallery else []
    return "; ".join([scope, *shared, *lost, *comparison.notes])


def _header_of_results(result: Result) -> str:
    task, protocol = result.record["task"], result.protocol
    reference = "references left out" if protocol.reference == "exclude" else "references kept"
    line = (
        f"{task['name']} ({result.record['data']['split']}): {result.record['queries']} queries, "
        f"gallery of {task['gallery']} videos, {reference}, ties count against the model"
    )
    lost = [f"{count} {what}" for what, count in task["left_out"].items()]
    return f"{line}\nleft out: {', '.join(lost)}" if lost else line


def _benchmark_bounds(results: Sequence[Result]) -> list[str]:
    """What the recalls of the whole benchmark can be at least and at most, where some of it could not be scored."""
    known = [(result, found) for result in results if (found := result.record.get("coverage")) is not None]
    if not known:
        return []
    names = [name for name in results[0].metric_names if name in known[0][1]["bounds"]]
    rows = [["whole benchmark", *names]]
    for result, found in known:
        rows.append([result.model, *("{:.2f} to {:.2f}".format(*found["bounds"][name]) for name in names)])
    return ["", result_text_table(rows)]
